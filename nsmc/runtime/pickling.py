"""Predictors on their way to other processes: as their bundles, in as few bytes as are exact.

Engines such as Spark unpickle what a task needs for each task anew, in processes that they use
again. There a predictor is built once, and later tasks get the same one, with the tables that it
has computed meanwhile.
"""

import pickle
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from nsmc.runtime.loading import Bundle
from nsmc.runtime.packing import Numbers

_KEPT = 2  # predictors: the one in use, and that of an earlier bundle

_restored: dict[tuple[object, bytes], Any] = {}  # by what was pickled, the latest last


def pickled(bundle: Bundle) -> tuple[bytes, bytes]:
    """The digest of a bundle as bytes, for `restored`, and these bytes."""
    arrays = {name: _narrow(array) for name, array in bundle.arrays.items()}
    content = pickle.dumps((bundle.config, arrays, bundle.tokenizer), protocol=5)
    return blake2b(content, digest_size=16).digest(), content


def rebuilt(build: Callable[[Bundle], Any], content: bytes) -> Any:
    """What `build` makes of the bundle: a new one, as what is added to it is its own."""
    return build(Bundle(*pickle.loads(content)))


def restored(build: Callable[[Bundle], Any], digest: bytes, content: bytes) -> Any:
    """What `build` makes of the bundle; of one that this process has restored lately, the same."""
    predictor = _restored.pop((build, digest), None)
    if predictor is None:  # two threads may be here at once, and build one each
        predictor = rebuilt(build, content)
    _restored[build, digest] = predictor
    for oldest in list(_restored)[:-_KEPT]:
        _restored.pop(oldest, None)
    return predictor


def _narrow(array: Numbers) -> Numbers:
    """In float16 where that is exact."""
    with np.errstate(over="ignore", under="ignore"):  # whatever the caller has
        half = array.astype(np.float16, copy=False)
    return half if half is array or np.array_equal(half, array) else array
