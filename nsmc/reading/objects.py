"""JSON as records: an object on each line, or an array of objects."""

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

from nsmc.reading.encodings import is_korean_cp949
from nsmc.reading.file_format import FileFormat
from nsmc.reading.lines import LONGEST_LINE, other_encoding, read_lines, refuse_wide
from nsmc.reading.opening import first_bytes
from nsmc.reading.tables import Record, Table

_BLOCK = 1 << 16
_MOST_DAMAGED = 1_000  # rows at the start, before the one that says which columns there are
_SPACE = " \t\r\n"


def read_json_lines(stream: BinaryIO, name: str, file_format: FileFormat) -> Table:
    """The objects of a file with one on each line; lines that are empty are left out.

    Raises ValueError for what `read_lines` refuses.
    """
    return _table(
        _parsed(number, line, error)
        for number, line, error in read_lines(stream, name, file_format)
        if line.strip() or error
    )


def read_json_array(stream: BinaryIO, name: str, file_format: FileFormat) -> Table:
    """The objects of an array, one by one in memory.

    Raises ValueError, also while they are read, for what is not an array of JSON in the file's
    encoding: what follows the damage cannot be read.
    """
    values = _elements(_blocks(stream, name, file_format), name)
    return _table(_record(number, value) for number, value in enumerate(values, start=1))


def _table(records: Iterator[Record]) -> Table:
    start = list[Record]()
    for record in islice(records, _MOST_DAMAGED):
        start.append(record)
        if not record.error:
            break
    return Table([*start[-1].values] if start else [], chain(start, records), fixed=False)


def _parsed(number: int, line: str, error: str) -> Record:
    if error:
        return Record(number, {}, error)
    try:
        return _record(number, json.loads(line, object_pairs_hook=_object))
    except _TwiceError as problem:
        return Record(number, {}, str(problem))
    except (ValueError, RecursionError):  # numbers and nesting without end, too
        return Record(number, {}, "not JSON")


class _TwiceError(ValueError):
    """Of two values with one key JSON's readers keep the last alone."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise _TwiceError(f"{twice[:40]!r} is there twice")
    return values


def _record(number: int, value: Any) -> Record:
    return Record(number, value) if isinstance(value, dict) else Record(number, {}, "not an object")


def _elements(blocks: Iterator[str], name: str) -> Iterator[Any]:
    """The elements of the array that the blocks of text together are."""
    decoder, count = json.JSONDecoder(object_pairs_hook=_object), 0
    text = next((start for block in blocks if (start := block.lstrip(_SPACE))), "")
    if text[:1] != "[":
        raise ValueError(f"{name}: not a JSON array; it begins with {text[:20]!r}")
    text = text[1:].lstrip(_SPACE)
    while text[:1] != "]":
        try:
            value, end = decoder.raw_decode(text)
            rest = text[end:].lstrip(_SPACE)
        except _TwiceError as problem:
            raise ValueError(f"{name}, row {count + 1}: {problem}") from None
        except (ValueError, RecursionError):
            rest = ""
        if not rest:  # the element, or what tells that it is complete, is in the next block
            block = next(blocks, "")
            if not block or len(text) > LONGEST_LINE:
                raise ValueError(f"{name}, row {count + 1}: not JSON, or the file is cut off")
            text = (text + block).lstrip(_SPACE)
            continue
        if rest[0] not in ",]":
            raise ValueError(f"{name}, row {count + 1}: no comma after it")
        count += 1
        yield value
        text = rest.removeprefix(",").lstrip(_SPACE)
    if text[1:].strip(_SPACE) or "".join(islice(blocks, 1)).strip(_SPACE):
        raise ValueError(f"{name}: something follows the JSON array")


def _blocks(stream: BinaryIO, name: str, file_format: FileFormat) -> Iterator[str]:
    encoding = "utf-8-sig" if file_format.encoding == "utf-8" else file_format.encoding
    decoder = codecs.getincrementaldecoder(encoding)()
    if file_format.is_ascii_based:
        refuse_wide(first_bytes(stream), name, file_format)
    while content := stream.read(_BLOCK):
        try:
            yield decoder.decode(content)
        except UnicodeError as error:
            if file_format.encoding == "utf-8" and is_korean_cp949(content):
                raise ValueError(f"{name}: {other_encoding('cp949', file_format)}") from None
            raise ValueError(f"{name}: not {file_format.encoding} ({error})") from None
