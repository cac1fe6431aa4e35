from typing import Any

import numpy as np
import numpy.typing as npt

_Floats = np.ndarray[Any, np.dtype[np.float32]]
_Rows = npt.NDArray[np.int64]

def run(
    inputs: _Floats,  # [R, G]
    source: _Rows,  # [N] rows of the inputs
    active: _Rows,  # [T]
    weight: _Floats,  # [P, H, 64] panels of 64 of the G columns, the last one filled up
    bias: _Floats | None,  # [H], of a GRU
    state: _Floats,  # [B, H], written
    memory: _Floats | None,  # [B, H], of an LSTM, written
    outputs: _Floats | None,  # [M, H], written
    target: _Rows | None,  # [N] rows of the outputs
    /,
) -> None:
    """Raises TypeError, ValueError or IndexError for arrays that do not fit each other."""
