from collections.abc import Sequence
from typing import Any, final

import numpy as np

_Floats = np.ndarray[Any, np.dtype[np.float32]]
_Embedding = _Floats | np.ndarray[Any, np.dtype[np.float16]]
_Cell = tuple[_Floats, ...]  # weight_ih [G, D], weight_hh [G, H], bias_ih [G], bias_hh [G]

@final
class Network:
    """A GRU, or with G = 4 H an LSTM, its pooling and its head; thread-safe.

    The arrays lie in one piece. All but the embedding are copied; that one must not change.
    """

    def __new__(
        cls,
        embedding: _Embedding,  # [V, E]
        cells: tuple[_Cell, ...],  # layer by layer, of each one direction or two
        directions: int,
        pooling: str,
        attention: _Floats | None,  # [1, W], of pooling by attention
        head: _Floats,  # [C, W], with max_mean [C, 2 W]
        bias: _Floats,  # [C]
    ) -> Network:
        """Raises TypeError or ValueError for arrays that do not fit each other."""

    def logits(self, token_ids: Sequence[Sequence[int]], out: _Floats, /) -> None:
        """Write the logits of reviews to `out` [N, C].

        Raises ValueError for an id that is not in the vocabulary, and for an `out` of another
        shape, TypeError for what is no sequence of sequences of whole numbers.
        """

    def has_tables(self) -> bool:
        """Whether what each token of the vocabulary contributes was computed once for all.

        It is as soon as as many tokens were asked for.
        """
