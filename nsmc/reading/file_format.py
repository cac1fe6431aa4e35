"""How the rows of a file are read: its format, its encoding and its columns.

The section `data` of the configuration, the options of `nsmc predict` and what a bundle remembers
of its corpus call these settings by the same names.
"""

import codecs
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from nsmc.reading.opening import is_pipe

Format = Literal["tsv", "csv", "jsonl", "json", "parquet", "text"]
Quoting = Literal["csv", "field", "nsmc", "none"]
FORMATS: tuple[str, ...] = get_args(Format)
QUOTINGS: tuple[str, ...] = get_args(Quoting)
DELIMITERS = {"tsv": "\t", "csv": ","}  # where there may be a header, too

BY_EXTENSION = {
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}
# The settings below that a corpus, a bundle and a command's options have: how bytes become fields,
# and what the fields are.
ENCODING_SETTINGS = ("format", "encoding", "delimiter", "quoting", "header")
COLUMN_SETTINGS = ("text_column", "label_column", "id_column", "group_column")

Column = str | int  # a name, or, in a file without a header, a position from 1


@dataclass(frozen=True)
class FileFormat:
    """How a file is read.

    `format` is one of FORMATS, or None for what the file's extension says. Columns are named; of a
    file without a `header` they are positions from 1. Without an `id_column` a column called id is
    taken, if there is one. `delimiter` stands between the fields of TSV and CSV, None for a tab and
    a comma. `quoting` tells what double quotes mean there: "csv" RFC 4180, where a quoted field may
    hold line ends; "field" that a field which is in quotes as a whole loses them; "nsmc" the same
    twice, as NSMC's files were made; "none" that they are text. None is "field". CSV files, where a
    field may hold delimiters, are with both of these read as "csv".
    `for_command` says that advice is given in options of the command line rather than in keys of
    the configuration. `inherited` are the settings that nobody gave, as the file is read like the
    corpus of the bundle `like_corpus_of`. `without_header` is what to type where the file has no
    header, as that corpus had none, but is read as if it had one.

    Raises ValueError, which begins with the setting, for a value that the setting cannot have, an
    unknown encoding, and columns that do not fit the header.
    """

    text_column: Column = "document"
    label_column: Column | None = "label"
    id_column: Column | None = None
    group_column: Column | None = None
    format: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    delimiter: str | None = None
    quoting: str | None = None
    for_command: bool = False
    like_corpus_of: str = ""
    inherited: tuple[str, ...] = ()
    without_header: str = ""

    def __post_init__(self) -> None:
        self._check("format", self.format in (None, *FORMATS), ", ".join(FORMATS))
        self._check("quoting", self.quoting in (None, *QUOTINGS), ", ".join(QUOTINGS))
        self._check("header", isinstance(self.header, bool), "true or false")
        if self.delimiter == r"\t":  # as it is typed on a command line
            object.__setattr__(self, "delimiter", "\t")
        is_one = isinstance(self.delimiter, str) and len(self.delimiter) == 1
        is_good = self.delimiter is None or (is_one and self.delimiter not in '"\r\n')
        self._check("delimiter", is_good, "one character, and no double quote")
        try:
            "".encode(self.encoding)  # refuses codecs that are no encodings of text, too
        except (LookupError, ValueError, TypeError):
            raise ValueError(
                f"{self.option('encoding', self.encoding)}: no such encoding; "
                "utf-8, cp949 and utf-16 are some"
            ) from None
        if codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig"):  # a mark is never text
            object.__setattr__(self, "encoding", "utf-8")
        for name in COLUMN_SETTINGS:
            self._check_column(name, getattr(self, name))

    def _check(self, name: str, is_good: bool, expected: str) -> None:
        if not is_good:
            raise ValueError(f"{self.option(name, getattr(self, name))}: expected {expected}")

    def _check_column(self, name: str, column: Column | None) -> None:
        if column is None and name != "text_column":
            return
        if self.header:
            without = self.option("header", False)
            is_name = isinstance(column, str) and column != ""
            self._check(name, is_name, f"a column's name; a number needs {without}")
        else:
            is_position = type(column) is int and column > 0
            self._check(
                name,
                is_position,
                "a position from 1, as there is no header; only TSV and CSV can be without one",
            )

    @property
    def is_ascii_based(self) -> bool:
        """Whether every byte of a line end is one: not so in UTF-16, for example."""
        return "\n".encode(self.encoding) == b"\n"

    @property
    def field_delimiter(self) -> str:
        """What is between the fields of TSV and CSV."""
        return self.delimiter or DELIMITERS[self.format or "tsv"]

    @property
    def has_given_delimiter(self) -> bool:
        """Whether the user herself says what is between the fields."""
        return self.delimiter is not None and "delimiter" not in self.inherited

    def delimiter_setting(self, delimiter: str) -> tuple[str, str]:
        """The setting, and its value, that reads the file with another delimiter."""
        formats = {usual: form for form, usual in DELIMITERS.items()}
        form = formats.get(delimiter, self.format)
        if form in (None, self.format) or self.has_given_delimiter:
            return "delimiter", delimiter
        return "format", form

    def option(self, name: str, value: object) -> str:
        """How a user sets a value, as she would type it."""
        value = r"\t" if value == "\t" else value
        if not self.for_command:
            shown = str(value).lower() if isinstance(value, bool) else value
            return shlex.quote(f"data.{name}={shown}")
        if name == "header":
            return "--header" if value else "--no-header"
        return f"--{name.replace('_', '-')} {shlex.quote(str(value))}"

    def of(self, path: str, first: bytes) -> str:
        """The format of a file that begins with the bytes `first`.

        A pipe is text. A name with .txt is TSV where the first line has a tab, as NSMC's files
        have, else text. Raises what `named` raises.
        """
        if self.format is None and is_pipe(path):
            return "text"
        return self.named(path) or ("tsv" if b"\t" in first.split(b"\n", 1)[0] else "text")

    def named(self, path: str) -> str | None:
        """The format that is given, or that the extension says; None for .txt, and a missing file.

        Raises ValueError for another extension, and where a file without a header cannot be of the
        format.
        """
        extension = Path(path).suffix.lower()
        if extension == ".gz":
            extension = Path(path).with_suffix("").suffix.lower()
        form = self.format or BY_EXTENSION.get(extension)
        if form is None and extension != ".txt" and (extension or Path(path).is_file()):
            what = f"{extension} files" if extension else "files without an extension"
            raise ValueError(
                f"{path}: {what} are not read; {', '.join(BY_EXTENSION)} and .txt are, "
                f"also with .gz; others with {self.option('format', 'csv')}, for example"
            )
        if not self.header and form not in (None, "text", *DELIMITERS):
            header = self.option("header", False)
            raise ValueError(f"{path}: {header}: the columns of {form} have names; leave it out")
        return form
