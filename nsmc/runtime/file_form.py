"""How the files of the corpus were read that a bundle was trained on: `reading` in its config.json.

Other files of that form are then read without options. A bundle from before there was such an
object reads NSMC's form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nsmc.reading.file_format import FORMATS, QUOTINGS, FileFormat
from nsmc.reading.labels import LabelRules

# The format is that of the corpus: its quoting is for files of the same format alone.
_DEFAULTS: dict[str, Any] = {
    "format": "tsv",
    "encoding": "utf-8",
    "header": True,
    "quoting": None,
    "text_column": "document",
    "label_column": "label",
}
_BEFORE = {"quoting": "nsmc"}
_WITH_HEADER = ("tsv", "csv")  # and without; in other formats columns always have names


def reading_of(
    file_format: FileFormat, path: str, rules: LabelRules, labels: Sequence[str]
) -> dict[str, Any]:
    """The object `reading` of a corpus with these labels whose training file is at `path`.

    It has what is not the default.
    """
    values = {key: getattr(file_format, key) for key in _DEFAULTS}
    values["format"] = file_format.of(path, b"\t")
    reading = {key: value for key, value in values.items() if value != _DEFAULTS[key]}
    if rules.mapping is not None:
        known = {None, *labels}
        reading["label_map"] = {
            value: label for value, label in rules.mapping.items() if label in known
        }
    return reading


def check_reading(reading: object, labels: Sequence[str]) -> None:
    """Raises ValueError, which names the key, for what `reading_of` would not have made."""
    if not isinstance(reading, dict):
        raise ValueError(f"it is {repr(reading)[:40]}, not a table")
    values = {**_DEFAULTS, "label_map": {}, **reading}
    mapping, known = values["label_map"], {None, *labels}
    is_good = {
        "format": values["format"] in FORMATS,
        "encoding": isinstance(values["encoding"], str),
        "header": isinstance(values["header"], bool),
        "quoting": values["quoting"] in (None, *QUOTINGS),
        "text_column": _is_column(values["text_column"]),
        "label_column": values["label_column"] is None or _is_column(values["label_column"]),
        "label_map": isinstance(mapping, dict)
        and all(label is None or isinstance(label, str) for label in mapping.values())
        and known.issuperset(mapping.values()),
    }
    for key in reading:
        if not is_good.get(key, False):
            raise ValueError(f"{key[:40]!r} is {repr(reading[key])[:40]}")
    FileFormat(**{key: values[key] for key in _DEFAULTS})
    LabelRules(tuple(labels), mapping)


def _is_column(value: object) -> bool:
    return (isinstance(value, str) and value != "") or (type(value) is int and value > 0)


def file_format(
    reading: Mapping[str, Any] | None, path: str, options: Mapping[str, Any], *, labelled: bool
) -> FileFormat:
    """How to read the file at `path`: as the options say, else as the corpus was read.

    `options` are arguments of `FileFormat`. Raises ValueError for an extension that is not known,
    and what `FileFormat` raises.
    """
    values = {**_DEFAULTS, **(_BEFORE if reading is None else reading)}
    values.pop("label_map", None)
    form = FileFormat(format=options.get("format"), for_command=True).of(path, b"\t")
    if form != values.pop("format"):
        values["quoting"] = None
    if options.get("header") or form not in _WITH_HEADER:  # positions are no names
        values |= {key: _DEFAULTS[key] for key, value in values.items() if isinstance(value, int)}
    values |= options
    if not values["header"]:
        values |= {key: _position(value) for key, value in values.items() if "column" in key}
    if not labelled:
        values["label_column"] = None
    elif values["label_column"] is None:
        values["label_column"] = _DEFAULTS["label_column"]
    return FileFormat(**values, for_command=True)


def _position(column: Any) -> Any:
    """What an option says that a number is; what is none is refused by `FileFormat`."""
    return int(column) if isinstance(column, str) and column.isdecimal() else column


def label_values(reading: Mapping[str, Any] | None, labels: tuple[str, ...]) -> LabelRules:
    """Which values in the corpus's files meant which of the bundle's labels."""
    if reading is not None:
        mapping = reading.get("label_map")
    else:  # NSMC's 0 and 1
        mapping = {str(number): label for number, label in enumerate(labels[:2])}
    return LabelRules(labels, mapping)
