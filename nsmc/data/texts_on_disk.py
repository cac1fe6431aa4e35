"""Texts in a file instead of in memory, of which training a tokenizer needs a gigabyte itself."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np


class TextsOnDisk:
    """Texts that are read from a file in slices."""

    def __init__(self, path: Path, texts: Sequence[str]) -> None:
        """Write the texts to `path`; raises OSError where that fails."""
        self._path = path
        sizes = []
        with path.open("wb") as file:
            for text in texts:
                sizes.append(file.write(text.encode("utf-8")))
        self._offsets = np.fromiter(accumulate(sizes, initial=0), np.int64, len(sizes) + 1)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, rows: slice) -> list[str]:
        """The texts of a slice without a step."""
        start, stop, _ = rows.indices(len(self))
        offsets = self._offsets[start : max(start, stop) + 1].tolist()
        with self._path.open("rb") as file:
            file.seek(offsets[0])
            content = file.read(offsets[-1] - offsets[0])
        ends = [offset - offsets[0] for offset in offsets]
        return [content[begin:end].decode("utf-8") for begin, end in pairwise(ends)]

    def remove(self) -> None:
        """Delete the file; the length is still known."""
        self._path.unlink()
