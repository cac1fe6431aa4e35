"""Classifies files of any size: in bounded memory, in order, on all cores, whole or not at all."""

import contextlib
import io
import itertools
import os
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

from nsmc.atomic import whole_file
from nsmc.reading.file_format import FileFormat
from nsmc.reading.opening import is_pipe
from nsmc.reading.rows import Row, open_rows
from nsmc.runtime.answers import Answer, output_format, writer_of
from nsmc.runtime.damage import Tally
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor
from nsmc.terminal import HarmlessStream

_CHUNK = 2048  # rows that are classified together
_CHUNK_CHARACTERS = 1 << 18  # of longer reviews fewer are
_SECONDS_BETWEEN_LINES = 20  # where the progress goes into a log
_ADVICE = "choose another --output"


def predict_file(
    predictor: Predictor,
    source: str,
    output: str,
    file_format: FileFormat,
    unsure_below: float | None = None,
) -> Tally:
    """Classify a file's rows into another file; returns their number and which were damaged.

    With `unsure_below` the file says of which answers the probability is less. `-` stands for
    standard input and output. Raises what `open_rows`, `output_format` and `writer_of` raise,
    ValueError for a file without rows, and OSError where the output cannot be written.
    """
    if "-" not in (source, output):
        with contextlib.suppress(OSError):  # one of them is not there
            if Path(source).samefile(output):
                raise ValueError(f"--output {output} is the input; choose another")
    size = Path(source).stat().st_size if Path(source).is_file() else 0
    with open_rows(source, file_format, others=True) as opened:
        form = output_format(output, opened.format)
        tally = Tally(unit=opened.unit, doubt=opened.doubt)
        rows = _readable(opened.rows, source)
        first = list(itertools.islice(rows, 1))  # what is no such file is refused before any output
        if not first and not is_pipe(source):
            raise ValueError(f"{source}: no rows")
        with _appearing(output, source) as file:
            write = writer_of(file, form, opened.others, opened.unit, unsure_below)
            progress = Progress(size)
            for answer in classified(predictor, itertools.chain(first, rows)):
                write(answer)
                tally.add(answer.row.line, answer.row.error)
                tally.unsure += is_below(answer.probability, unsure_below)
                if tally.rows % _CHUNK == 0:
                    progress.show(tally.rows, opened.position() if size else 0)
            progress.end(tally.rows)
    return tally


def is_below(probability: float | None, unsure_below: float | None) -> bool:
    """Whether there is an answer, and one that is not sure enough."""
    return None not in (probability, unsure_below) and probability < unsure_below  # type: ignore[operator]


def classified(predictor: Predictor, rows: Iterable[Row]) -> Iterator[Answer]:
    """The rows with their answers, in order; a few chunks at a time are in memory."""
    for answers in mapped(partial(_answers, predictor), chunks(rows)):
        yield from answers


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in lists that are classified together."""
    chunk, size = list[Row](), 0
    for row in rows:
        chunk.append(row)
        size += len(row.text) + sum(len(str(value)) for value in row.others.values())
        if len(chunk) == _CHUNK or size > _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _answers(predictor: Predictor, rows: list[Row]) -> list[Answer]:
    predictions = iter(predictor([row.text for row in rows if not row.error]))
    return [Answer(row, "", None) if row.error else Answer(row, *next(predictions)) for row in rows]


class Progress:
    """Says on standard error how far it is: a bar on a terminal, else a line now and then."""

    def __init__(self, size: int) -> None:
        self.size = size  # of the file in bytes; 0 where it is not known
        self.start = self.last = time.monotonic()
        self.is_terminal = sys.stderr is not None and sys.stderr.isatty()

    def show(self, count: int, position: int) -> None:
        """`count` rows are done; the file is read up to `position`."""
        now = time.monotonic()
        if now - self.last < (0.2 if self.is_terminal else _SECONDS_BETWEEN_LINES):
            return
        self.last = now
        share, bar = "", ""
        if self.size:
            done = min(position / self.size, 1)
            share = f"{done:4.0%} "
            bar = f"|{'█' * round(30 * done):<30}| " if self.is_terminal else ""
        self._print(share + bar, count)

    def end(self, count: int) -> None:
        if self.is_terminal:
            self._print("", count)
            print(file=sys.stderr)

    def _print(self, prefix: str, count: int) -> None:
        rate = count / max(time.monotonic() - self.start, 1e-9)
        line = f"{prefix}{count:,} reviews, {rate:,.0f}/s"
        start, end = ("\r\033[K", "") if self.is_terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)


def _readable(rows: Iterator[Row], source: str) -> Iterator[Row]:
    """The rows; an error of reading them names their file."""
    try:
        yield from rows
    except OSError as error:
        raise OSError(error.errno, error.strerror, source) from None


@contextlib.contextmanager
def _appearing(output: str, source: str) -> Iterator[TextIO]:
    """A file that appears when all is written; standard output for `-`."""
    path = Path(os.path.realpath(output) if os.path.islink(output) else output)  # noqa: PTH114
    if output == "-":
        if sys.stdout is None:
            raise ValueError("standard output is closed; choose an --output")
        yield HarmlessStream(sys.stdout) if sys.stdout.isatty() else sys.stdout  # type: ignore[misc]
    elif os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - never raise
        with _special(path, source) as file:
            yield file
    else:
        with whole_file(path, advice=_ADVICE) as whole:
            text = io.TextIOWrapper(whole, encoding="utf-8", errors="replace", newline="")
            yield text
            text.detach()  # after writing what it still holds


@contextlib.contextmanager
def _special(path: Path, source: str) -> Iterator[TextIO]:
    """A pipe or a device, which is written as it is."""
    try:
        with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
            yield file
    except OSError as error:
        if error.filename == source or isinstance(error, BrokenPipeError):
            raise
        raise OSError(f"cannot write {path}: {error.strerror or error}; {_ADVICE}") from None
