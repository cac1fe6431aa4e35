"""What gzip packed, unpacked as it is read. Imported for such files alone."""

import gzip
import io
import zlib
from typing import BinaryIO


class Unpacked(io.RawIOBase):
    """The content of a packed stream; reading raises ValueError where that is damaged."""

    def __init__(self, packed: BinaryIO, name: str) -> None:
        self.packed = packed
        self._content = gzip.GzipFile(fileobj=packed)
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            content = self._content.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{self._name}: damaged gzip file ({error})") from None
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self.packed.close()
        super().close()
