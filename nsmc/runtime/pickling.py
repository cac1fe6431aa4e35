"""Predictors on their way to other processes: as their bundles, in as few bytes as are exact.

Engines such as Spark unpickle what a task needs for each task anew, in processes that they use
again. There a predictor is built once, and later tasks get the same one, with the tables that it
has computed meanwhile.
"""

import pickle
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.runtime.loading import Bundle

_KEPT = 2  # predictors: the one in use, and that of an earlier bundle

_restored: dict[tuple[object, bytes], Any] = {}  # by what was pickled, the latest last


def pickled(bundle: Bundle) -> tuple[bytes, bytes]:
    """The digest of a bundle as bytes, for `restored`, and these bytes."""
    tensors = {name: _narrow(tensor) for name, tensor in bundle.tensors.items()}
    content = pickle.dumps((bundle.config, tensors, bundle.tokenizer), protocol=5)
    return blake2b(content, digest_size=16).digest(), content


def rebuilt(build: Callable[[Bundle], Any], content: bytes) -> Any:
    """What `build` makes of the bundle: a new one, as what is added to it is its own."""
    config, tensors, tokenizer = pickle.loads(content)
    return build(Bundle(config, _wide(tensors), tokenizer))


def restored(build: Callable[[Bundle], Any], digest: bytes, content: bytes) -> Any:
    """What `build` makes of the bundle; of one that this process has restored lately, the same."""
    predictor = _restored.pop((build, digest), None)
    if predictor is None:  # two threads may be here at once, and build one each
        predictor = rebuilt(build, content)
    _restored[build, digest] = predictor
    for oldest in list(_restored)[:-_KEPT]:
        _restored.pop(oldest, None)
    return predictor


def _narrow(tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.floating[Any]]:
    """In float16 where that is exact, as the tensors of a bundle in float16 are."""
    with np.errstate(over="ignore"):
        half = tensor.astype(np.float16)
    return half if np.array_equal(half, tensor) else tensor


def _wide(
    tensors: Mapping[str, npt.NDArray[np.floating[Any]]],
) -> dict[str, npt.NDArray[np.float32]]:
    return {name: tensor.astype(np.float32, copy=False) for name, tensor in tensors.items()}
