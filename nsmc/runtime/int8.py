"""Weights as whole numbers of one byte: each row of a matrix with a scale of its own.

A number is its code, from -127 to 127, times its row's scale.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.runtime.packing import Array

SCALE = ".scale"  # behind the name of a matrix: that of its scales

_LARGEST = 127


def codes_and_scales(weight: Array) -> tuple[npt.NDArray[np.int8], Array]:
    """The codes, of the weight's shape [R, ...], and the scales [R]."""
    rows = weight.reshape(len(weight), -1)
    largest = np.abs(rows).max(axis=1, initial=0)
    scales = (largest / _LARGEST).astype(np.float32)
    divisors = np.where(scales > 0, scales, 1)
    codes = np.clip(np.rint(rows / divisors[:, None]), -_LARGEST, _LARGEST).astype(np.int8)
    return codes.reshape(weight.shape), scales


def is_matrix(shape: Sequence[int]) -> bool:
    """Whether a tensor has rows: what has none, as biases, stays float32."""
    return len(shape) > 1


def stored(tensors: Mapping[str, Array]) -> dict[str, npt.NDArray[Any]]:
    """What a file holds of the tensors: of a matrix its codes, and its scales as NAME.scale."""
    arrays = dict[str, npt.NDArray[Any]]()
    for name, tensor in tensors.items():
        if is_matrix(tensor.shape):
            arrays[name], arrays[f"{name}{SCALE}"] = codes_and_scales(tensor)
        else:
            arrays[name] = tensor.astype(np.float32)
    return arrays


def restored(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Array]:
    """The tensors as float32."""
    tensors = dict[str, Array]()
    for name, array in arrays.items():
        if f"{name}{SCALE}" in arrays:
            scales = arrays[f"{name}{SCALE}"].reshape(-1, *[1] * (array.ndim - 1))
            tensors[name] = array.astype(np.float32) * scales
        elif not name.endswith(SCALE):
            tensors[name] = array
    return tensors
