"""Answers texts one by one: from the command line, or from a pipe.

What reads and writes files is imported only where it is needed: whoever asks once waits for it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

from nsmc.runtime.predictor import Prediction, Predictor
from nsmc.terminal import harmless

if TYPE_CHECKING:
    from nsmc.runtime.damage import Tally

_LONGEST_ECHO = 200  # characters of a review that are repeated beside its answer


def answer_texts(
    predictor: Predictor, texts: Iterable[str], unsure_below: float | None = None
) -> None:
    """Print a line for each text as soon as it is known: label, probability, text.

    With `unsure_below` there is "sure" or "unsure" before the text.
    """
    for text in texts:
        if text.strip():
            (answer,) = predictor([text], unsure_below=unsure_below)
            added = [] if unsure_below is None else [_sureness(answer)]
            beginning = text[:_LONGEST_ECHO] + ("…" if len(text) > _LONGEST_ECHO else "")
            _print_line(answer.label, f"{answer.probability:.4f}", *added, harmless(beginning))
        else:
            _print_line("empty", "", *([] if unsure_below is None else [""]), "")


def answer_pipe(
    predictor: Predictor,
    stream: BinaryIO,
    encoding: str = "utf-8",
    unsure_below: float | None = None,
) -> "Tally":
    """The same for the lines of a stream; a damaged one is answered with what is wrong with it.

    Raises ValueError for what is not text, and for an unknown encoding.
    """
    from nsmc.reading.file_format import FileFormat
    from nsmc.reading.lines import read_lines
    from nsmc.reading.opening import name_of
    from nsmc.runtime.damage import Tally

    tally = Tally()
    file_format = FileFormat(encoding=encoding, for_command=True)
    for line in read_lines(stream, name_of("-"), file_format):
        tally.add(line.number, line.error)
        if line.error:
            added = [] if unsure_below is None else [""]
            _print_line("error", "", *added, f"line {line.number}: {line.error}")
        else:
            answer_texts(predictor, [line.text], unsure_below)
    return tally


def _sureness(answer: Prediction) -> str:
    from nsmc.runtime.answers import sureness

    return sureness(answer.is_unsure)


def _print_line(*columns: str) -> None:
    print(*columns, sep="\t", flush=True)
