"""How the files of the corpus were read that a bundle was trained on: `reading` in its config.json.

Other files of that form are then read without options. A bundle from before there was such an
object reads NSMC's form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nsmc.reading.file_format import DELIMITERS, ENCODING_SETTINGS, FileFormat
from nsmc.reading.labels import LabelRules

# What is remembered; the rest of a corpus's form is of its training alone.
_KEYS = (*ENCODING_SETTINGS, "text_column", "label_column")
_DEFAULTS: dict[str, Any] = {key: getattr(FileFormat(format="tsv"), key) for key in _KEYS}
_BEFORE = {"quoting": "nsmc"}


def reading_of(
    file_format: FileFormat, path: str, rules: LabelRules, labels: Sequence[str]
) -> dict[str, Any]:
    """The object `reading` of a corpus with these labels whose training file is at `path`.

    It has what is not the default.
    """
    values = {key: getattr(file_format, key) for key in _KEYS}
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
    mapping, known = reading.get("label_map", {}), {None, *labels}
    has_labels = isinstance(mapping, dict) and all(
        (label is None or isinstance(label, str)) and label in known for label in mapping.values()
    )
    for key, value in reading.items():
        is_value = value is not None or key == "label_column"
        if not (has_labels if key == "label_map" else key in _KEYS and is_value):
            raise ValueError(f"{key[:40]!r} is {repr(value)[:40]}")
    FileFormat(**{key: value for key, value in reading.items() if key != "label_map"})
    LabelRules(tuple(labels), mapping)


def file_format(
    reading: Mapping[str, Any] | None,
    path: str,
    options: Mapping[str, Any],
    *,
    labelled: bool,
    bundle: str = "",
) -> FileFormat:
    """How to read the file at `path`: as the options say, else as the corpus was read.

    Of a corpus in another format only the names of columns are taken. `options` are arguments of
    `FileFormat`; `bundle` is what messages call the bundle. Raises ValueError for an extension that
    is not known, for columns by name where the options say that there is no header, and what
    `FileFormat` raises.
    """
    values = {**_DEFAULTS, **(_BEFORE if reading is None else reading)}
    values.pop("label_map", None)
    form = FileFormat(format=options.get("format"), for_command=True).of(path, b"\t")
    is_alike = form == values.pop("format")
    used = ("text_column", "label_column") if labelled else ("text_column",)
    positions = {key: values[key] for key in used if isinstance(values[key], int)}
    if not is_alike or options.get("header"):  # positions are no names
        values |= {key: _DEFAULTS[key] for key, value in values.items() if isinstance(value, int)}
    if not is_alike:
        values |= {key: _DEFAULTS[key] for key in ("encoding", "delimiter", "quoting")}
    inherited = {key for key in ("header", "delimiter") if values[key] != _DEFAULTS[key]}
    if inherited := inherited - {*options}:
        values |= {"like_corpus_of": bundle, "inherited": tuple(sorted(inherited))}
    values |= options
    if positions and not is_alike and form in DELIMITERS:
        values["without_header"] = f"--no-header {_as_options(used, positions)}"
    if not labelled:
        values["label_column"] = None
    elif values["label_column"] is None:
        values["label_column"] = _DEFAULTS["label_column"]
    if not values["header"]:
        values |= {key: _position(value) for key, value in values.items() if "column" in key}
        if names := [key for key in used if key not in options and isinstance(values[key], str)]:
            missing = _as_options(names, positions)
            raise ValueError(f"{path}: without a header, columns are positions: say {missing}")
    return FileFormat(**values, for_command=True)


def _as_options(columns: Sequence[str], positions: Mapping[str, int]) -> str:
    """The options that give these columns their positions, as far as these are known."""
    return " ".join(
        f"--{column.replace('_', '-')} {positions.get(column, 'POSITION')}" for column in columns
    )


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
