"""Tables of what each token of a vocabulary contributes to an encoder's first layer.

Legend: V vocabulary, N tokens, E embedding, G numbers of a projection.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nsmc.runtime.packing import Array, IntArray, Packed

_WORTH_A_TABLE = 2_000  # tokens
_BLOCK = 8  # tokens whose rows of the table are computed together
_BLOCKS_AT_ONCE = 128


class TokenTables:
    """For each projection, a weight [E, G] and a bias [G], the projections of all tokens [V, G].

    A projection is the same for a token wherever it stands. A program that asks about a review or
    two would wait longer for a whole table than for its answer: until many tokens were asked for,
    only the rows that are needed are filled in.

    The rows are computed a block at a time, always the same ones together: a matrix product of
    another size may round differently, and answers must not depend on what was asked before.
    """

    def __init__(self, projections: Sequence[tuple[Array, Array]], embedding: Array) -> None:
        self.projections = projections
        self.embedding = embedding
        self.is_complete = False
        self._seen = 0
        self._has_block = np.zeros(-(-len(embedding) // _BLOCK), dtype=np.bool_)
        # Memory that nothing was written to takes no room.
        rows = len(self._has_block) * _BLOCK
        self._tables = [np.empty((rows, len(bias)), np.float32) for _, bias in projections]

    def __getstate__(self) -> dict[str, object]:
        """A copy in another process computes its own tables."""
        return {"projections": self.projections, "embedding": self.embedding}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __call__(self, packed: Packed) -> list[Array]:
        """A table for each projection, in which the rows of these tokens are filled in."""
        if not self.is_complete:
            self._seen += packed.ids.size
            is_enough = self._seen > _WORTH_A_TABLE
            is_needed = np.full_like(self._has_block, is_enough)
            is_needed[packed.ids // _BLOCK] = True
            self._fill(np.flatnonzero(is_needed & ~self._has_block))
            self.is_complete = is_enough
        return self._tables

    def _fill(self, blocks: IntArray) -> None:
        """Compute blocks of rows; two threads that do so at once write the same numbers."""
        for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
            some = blocks[start : start + _BLOCKS_AT_ONCE]
            rows = some[:, None] * _BLOCK + np.arange(_BLOCK)  # numpy multiplies block by block
            embedded = self.embedding[np.minimum(rows, len(self.embedding) - 1)]
            for (weight, bias), table in zip(self.projections, self._tables, strict=True):
                projected = embedded @ weight
                projected += bias
                table[rows] = projected
        self._has_block[blocks] = True
