"""The tokenizers library as bundles need it, with each of its releases from 0.20 to 1.0.

1.0 encodes many times as fast, reads only files, and cannot say what it has read: what is to be
known of a tokenizer is read from `tokenizer.json` itself. Nothing else in the runtime imports the
library.
"""

import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from tokenizers import Tokenizer

_BEFORE_1 = hasattr(Tokenizer, "from_str")


class BundleTokenizer:
    """A tokenizer that neither pads nor truncates, whatever its file says.

    `replaces`: it has a Replace normalizer. `lone_bytes` are the ids of tokens that are one byte
    and no whole letter. Can be pickled, for the same release of the library.
    """

    def __init__(
        self,
        library: Tokenizer,
        vocab_size: int,
        *,
        replaces: bool = False,
        lone_bytes: frozenset[int] = frozenset(),
    ) -> None:
        self._library, self.vocab_size, self.replaces = library, vocab_size, replaces
        self.lone_bytes = lone_bytes
        self._key = os.urandom(16)
        _in_this_process[self._key] = self

    @classmethod
    def read(
        cls, path: Path, content: bytes, vocab_size: int, replaces: bool, lone_bytes: frozenset[int]
    ) -> "BundleTokenizer":
        """From a file and its content.

        Raises what the library raises, which may be a panic.
        """
        if _BEFORE_1:
            # Not from the file: these releases read none whose name is not valid Unicode.
            library = Tokenizer.from_buffer(content)  # in two thirds of the time of `from_str`
            library.no_padding()
            library.no_truncation()
        else:
            library = Tokenizer.from_file(str(path))
            library.padding = library.truncation = None  # type: ignore[misc]
        return cls(library, vocab_size, replaces=replaces, lone_bytes=lone_bytes)

    def __reduce__(self) -> tuple[object, ...]:
        known = {"replaces": self.replaces, "lone_bytes": self.lone_bytes}
        return _restored, (self._key, pickle.dumps(self._library), self.vocab_size, known)

    def encode(self, text: str) -> list[int]:
        """The ids of a text, which must be one that UTF-8 can hold."""
        ids: list[int] = self._library.encode(text, add_special_tokens=False).ids
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of such texts, in order, on as many threads as the library likes."""
        encode = self._library.encode_batch_fast if _BEFORE_1 else self._library.encode_batch
        return [encoding.ids for encoding in encode(texts, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens; bytes that are no whole letter become U+FFFD."""
        text: str = self._library.decode(list(ids), skip_special_tokens=False)
        return text


_in_this_process: WeakValueDictionary[bytes, BundleTokenizer] = WeakValueDictionary()
_first_reader: int | None = None  # the process that loaded a tokenizer, as 1.0 has it


def _restored(
    key: bytes, pickled: bytes, vocab_size: int, known: Mapping[str, Any]
) -> BundleTokenizer:
    """What was pickled; where it was, and in what was forked from there, the very same."""
    there = _in_this_process.get(key)
    if there is not None:
        return there
    check_process()
    return BundleTokenizer(pickle.loads(pickled), vocab_size, **known)


def check_process() -> None:
    """Before each reading: raises RuntimeError in a fork in which tokenizers 1.0 would hang.

    It reads with threads, which a fork leaves out. What was read before the fork can be used.
    """
    global _first_reader
    if not _BEFORE_1 and _first_reader not in (None, os.getpid()):
        raise RuntimeError(
            "tokenizers 1.0 reads nothing in a process that was forked from one where it has read "
            "a tokenizer: read the bundle before the fork, or only after it, or use tokenizers<1"
        )
    _first_reader = os.getpid()
