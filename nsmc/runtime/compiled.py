"""A GRU or LSTM classifier as one compiled call, from token ids to logits.

`_kernel`, written in C (the folder `kernel`), holds the weights in an order of its own and lets go
of Python's lock while it computes. Where the package was built without a C compiler, or where the
environment says NSMC_KERNEL=numpy, `network` does the same in numpy.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nsmc.runtime.packing import Array, Numbers

if TYPE_CHECKING:
    from nsmc.runtime.bundle import BundleConfig

try:
    from nsmc.runtime import _kernel
except ImportError:  # built without a compiler
    HAS_KERNEL = False
else:
    HAS_KERNEL = os.environ.get("NSMC_KERNEL") != "numpy"

_AT_ONCE = 8_192  # reviews of a call, after which signals are heard


class CompiledNetwork:
    """As `NumpyNetwork`. Reads an embedding in float16 where it is, without a wider copy."""

    def __init__(self, config: "BundleConfig", arrays: Mapping[str, Numbers]) -> None:
        self._num_labels = len(config.labels)

        def sound(name: str) -> Array:
            return np.require(arrays[name], np.float32, ("C", "A"))

        embedding = arrays["embedding.weight"]
        is_half = embedding.dtype == np.float16
        layers = config.encoder.cell_tensors  # type: ignore[attr-defined]  # those of a GRU or LSTM
        self._network = _kernel.Network(
            embedding=np.require(embedding, np.float16 if is_half else np.float32, ("C", "A")),
            cells=tuple(tuple(map(sound, names)) for cells in layers for names in cells),
            directions=len(layers[0]),
            pooling=config.pooling,
            attention=sound("attention.weight") if config.pooling == "attention" else None,
            head=sound("ln1.weight"),
            bias=sound("ln1.bias"),
        )

    @property
    def has_tables(self) -> bool:
        return self._network.has_tables()

    def logits(self, token_ids: Sequence[Sequence[int]]) -> Array:
        """As `NumpyNetwork.logits`."""
        logits = np.empty((len(token_ids), self._num_labels), np.float32)
        if len(token_ids) <= _AT_ONCE:
            self._network.logits(token_ids, logits)
            return logits
        for start in range(0, len(token_ids), _AT_ONCE):
            end = start + _AT_ONCE
            self._network.logits(token_ids[start:end], logits[start:end])
        return logits
