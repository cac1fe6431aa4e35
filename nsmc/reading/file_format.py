"""How the rows of a file are read: its format, its encoding and its columns."""

import codecs
from dataclasses import dataclass
from pathlib import Path

FORMATS = ("tsv", "csv", "jsonl", "json", "parquet", "text")
QUOTINGS = ("csv", "field", "nsmc", "none")

BY_EXTENSION = {
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}
Column = str | int  # a name, or, in a file without a header, a position from 1


@dataclass(frozen=True)
class FileFormat:
    """How a file is read.

    `format` is one of FORMATS, or None for what the file's extension says. Columns are named; of a
    file without a `header` they are positions from 1. Without an `id_column` a column called id is
    taken, if there is one. `quoting` tells what double quotes mean in TSV and CSV: "csv" RFC 4180,
    where a quoted field may hold line ends; "field" that a field which is in quotes as a whole
    loses them; "nsmc" the same twice, as NSMC's files were made; "none" that they are text. None
    is "field". CSV files, where a field may hold delimiters, are with both of these read as "csv".
    `for_command` says that advice is given in options of the command line rather than in keys of
    the configuration.

    Raises ValueError for an unknown encoding and columns that do not fit the header.
    """

    text_column: Column = "document"
    label_column: Column | None = "label"
    id_column: Column | None = None
    group_column: Column | None = None
    format: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    quoting: str | None = None
    for_command: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("format", self.format, FORMATS),
            ("quoting", self.quoting, QUOTINGS),
        ):
            if value is not None and value not in known:
                raise ValueError(f"{self.option(name, value)}: expected {', '.join(known)}")
        try:
            "".encode(self.encoding)  # refuses codecs that are no encodings of text, too
        except (LookupError, ValueError):
            raise ValueError(
                f"{self.option('encoding', self.encoding)}: no such encoding; "
                "utf-8, cp949 and utf-16 are some"
            ) from None
        if codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig"):  # a mark is never text
            object.__setattr__(self, "encoding", "utf-8")
        for name in ("text_column", "label_column", "id_column", "group_column"):
            self._check_column(name, getattr(self, name))

    def _check_column(self, name: str, column: Column | None) -> None:
        if column is None or self.header == isinstance(column, str):
            return
        given = self.option(name, column)
        if self.header:
            without = self.option("header", False)
            raise ValueError(f"{given}: expected a column's name; a number needs {without}")
        raise ValueError(f"{given}: expected a position from 1, as there is no header")

    @property
    def is_ascii_based(self) -> bool:
        """Whether every byte of a line end is one: not so in UTF-16, for example."""
        return "\n".encode(self.encoding) == b"\n"

    def option(self, name: str, value: object) -> str:
        """How a user sets a value, as she would type it."""
        if not self.for_command:
            shown = str(value).lower() if isinstance(value, bool) else value
            return f"data.{name}={shown}"
        if name == "header":
            return "--no-header"
        return f"--{name.replace('_', '-')} {value}"

    def of(self, path: str, first: bytes) -> str:
        """The format of a file that begins with the bytes `first`.

        A name without an extension, or with .txt, is TSV where the first line has a tab, as NSMC's
        files have, else text. Raises ValueError for another extension.
        """
        if self.format is not None:
            return self.format
        name = Path(path)
        if name.suffix.lower() == ".gz":
            name = name.with_suffix("")
        extension = name.suffix.lower()
        if extension in BY_EXTENSION:
            return BY_EXTENSION[extension]
        if extension not in ("", ".txt"):
            raise ValueError(
                f"{path}: {extension} files are not read; {', '.join(BY_EXTENSION)} and .txt are, "
                f"also with .gz; others with {self.option('format', 'csv')}, for example"
            )
        return "tsv" if b"\t" in first.split(b"\n", 1)[0] else "text"
