"""Texts to token ids, in memory that does not follow the length of a text.

A review is cut at `max_length` tokens, so of a text of a megabyte only the beginning is tokenized.
The ids are those of the whole text: it is cut only between a character that is no white space and
white space. There a byte-level tokenizer ends a word, whatever comes next, tokens never cross
words, and no Unicode form joins a space to what stands before it.
"""

import contextlib
import mmap
import re
import threading
from collections.abc import Iterable, Iterator, Sequence

from nsmc.runtime.tokenizer import BundleTokenizer

_PER_TOKEN = 8  # characters; few reviews have more, so that one attempt is mostly enough
_SHORT = 500  # characters that are tokenized as they are
_AT_ONCE = 1 << 16  # characters of texts that are tokenized together

# Bytes of a text, mostly one endless word, that only one thread tokenizes at a time, and bytes of
# memory that the library takes for each of them: 280 in 0.20, 210 in 0.23, 50 in 1.0.
_LONG = 4 * _AT_ONCE
_PER_BYTE = 280
_one_long_text = threading.Lock()

_END_OF_WORD = re.compile(r"(?<=\S)[ \t\n\r\u3000]")


def token_ids(tokenizer: BundleTokenizer, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """The first `max_length` ids of each text; what UTF-8 cannot hold is read as "?"."""
    if len(texts) == 1 and len(texts[0]) < _SHORT:  # a program that asks once waits for this
        ids = tokenizer.encode(_sound(texts[0]))
        return [ids if len(ids) <= max_length else ids[:max_length]]
    # What a Replace normalizer replaces may lie on both sides of a cut.
    limit = None if tokenizer.replaces else _PER_TOKEN * max_length
    starts = [_start(text, limit) for text in texts]
    encoded = [ids for batch in _batches(starts) for ids in _encoded(tokenizer, batch, max_length)]
    for index, (text, start) in enumerate(zip(texts, starts, strict=True)):
        while len(encoded[index]) < max_length and len(start) < len(text):
            start = _start(text, 2 * len(start))
            [encoded[index]] = _encoded(tokenizer, [start], max_length)
    return encoded


def _start(text: str, limit: int | None) -> str:
    """The text up to the first end of a word from `limit` characters on."""
    if limit is None or len(text) <= limit:
        return text
    end = _END_OF_WORD.search(text, limit)
    return text if end is None else text[: end.start()]


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts that are tokenized together, in order; a long one stands alone."""
    batch, size = list[str](), 0
    for text in texts:
        if batch and size + len(text) > _AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _encoded(tokenizer: BundleTokenizer, texts: list[str], max_length: int) -> list[list[int]]:
    try:
        size = len("".join(texts).encode())
    except UnicodeEncodeError:  # in one of them
        texts = [_sound(text) for text in texts]
        size = len("".join(texts).encode())
    with _one_long_text if size > _LONG else contextlib.nullcontext():
        _require_memory(_PER_BYTE * size)
        encoded = tokenizer.encode_batch(texts)
    return [ids if len(ids) <= max_length else ids[:max_length] for ids in encoded]


def _sound(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _require_memory(size: int) -> None:
    """Raises MemoryError where there is less memory: the library would abort the whole process."""
    try:
        mmap.mmap(-1, max(size, 1)).close()
    except OSError:
        raise MemoryError from None
