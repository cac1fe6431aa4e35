"""`nsmc predict`: answers for texts, a file, a pipe, or whoever types at a terminal."""

import argparse
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nsmc.cli.arguments import (
    add_file_options,
    chosen_bundle,
    file_format,
    file_options,
    load_predictor,
    return_memory_early,
)
from nsmc.cli.messages import print_error, print_message
from nsmc.termination import set_handlers

if TYPE_CHECKING:
    from nsmc.runtime.damage import Tally
    from nsmc.runtime.predictor import Predictor

_WITHOUT_VALUE = ("--help", "--header", "--no-header", "--no-history")

_OPTION = re.compile(r"--[a-z0-9]+(-[a-z0-9]+)*(=|$)", re.IGNORECASE | re.ASCII)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="say which label reviews have",
        usage="nsmc predict [BUNDLE] [TEXT ...]\n       nsmc predict [BUNDLE] --input FILE [...]",
        description=(
            "Prints label, probability and text of each TEXT, separated by tabs. Without a TEXT, "
            "asks for reviews on a terminal (an empty line shows why the last answer was given; q, "
            "exit or quit ends it), and reads a pipe line by line. With --input, classifies a file "
            "of any size. Without a BUNDLE, takes the newest under outputs/, else the one that "
            "comes with the package, which is also called pretrained. Exit code 1 where more than "
            "a tenth of the rows cannot be read."
        ),
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="BUNDLE TEXT",
        help="a folder or pretrained, then reviews; after --, they may look like options",
    )
    add_file_options(parser, labelled=False)
    parser.add_argument(
        "--output", metavar="FILE", help="appears when it is complete; by default what is printed"
    )
    parser.add_argument(
        "--unsure-below",
        type=float,
        metavar="PROBABILITY",
        help="say of each answer whether it is less sure than that, from 0 to 1",
    )
    parser.add_argument(
        "--no-history",
        action="store_true",
        help="on a terminal: keep nothing of what is typed for the arrow keys of the next time",
    )
    parser.set_defaults(run=run)


def protect_reviews(words: list[str]) -> list[str]:
    """The words of the command as `options_first` has them."""
    known = [f"--{name.replace('_', '-')}" for name in file_options(labelled=False)]
    return options_first(words, (*known, "--input", "--output", "--unsure-below"), _WITHOUT_VALUE)


def options_first(
    words: list[str], with_value: Sequence[str], without_value: Sequence[str]
) -> list[str]:
    """The words of a command with the options first and `--` before the others.

    A review may stand before an option, and look like one: "-_-" or "--;;" is none. Raises
    ValueError for what looks like an option and is none.
    """
    if "--" in words or words[1:2] == ["-h"]:
        return words
    known = [*with_value, *without_value]
    options, others, rest = list[str](), list[str](), iter(words[1:])
    for word in rest:
        if not _OPTION.match(word):
            others.append(word)
            continue
        option, equals, _ = word.partition("=")
        if not any(name.startswith(option) for name in known):
            raise ValueError(f"{option}: no such option; {_instead_of(option, known)}")
        options.append(word)
        if not equals and not any(name.startswith(option) for name in without_value):
            options += [next(rest, "--")]  # which argparse takes for a value that is missing
    return [words[0], *options, "--", *others]


def _instead_of(option: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # which takes its time, and is seldom needed

    near = get_close_matches(option.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else "-- goes before a review that begins so"


def run(options: argparse.Namespace) -> int:
    """Answer; 1 where too many rows cannot be read. Raises ValueError for what does not combine."""
    from nsmc.runtime.locate import split_words

    bundle, texts = split_words(options.words)
    unsure_below = options.unsure_below
    if unsure_below is not None and not 0 <= unsure_below <= 1:
        raise ValueError(f"--unsure-below {unsure_below}: a probability is from 0 to 1")
    if options.input is None:
        for name in ("output", *file_options(labelled=False)):
            is_of_pipes = name == "encoding" and not texts
            if getattr(options, name, None) is not None and not is_of_pipes:
                option = name.replace("_", "-")
                raise ValueError(f"--{option} is for files: name one with --input")
        predictor = load_predictor(chosen_bundle(bundle))
        return _answer(predictor, texts, options)
    if bundle is None and len(texts) == 1:
        bundle, texts = Path(texts[0]), []  # beside a file, a word can name a bundle alone
    if texts:
        raise ValueError(f"{texts[0]!r}: --input takes the reviews from the file alone")
    return _predict_file(chosen_bundle(bundle), options)


def _answer(predictor: "Predictor", texts: Sequence[str], options: argparse.Namespace) -> int:
    from nsmc.runtime.interactive import answer_pipe, answer_texts

    unsure_below, encoding = options.unsure_below, options.encoding or "utf-8"
    if texts:
        answer_texts(predictor, texts, unsure_below)
    elif sys.stdin is not None and sys.stdin.isatty():
        from nsmc.cli.prompt import converse

        set_handlers(_leave_the_terminal)
        converse(predictor, unsure_below, keeps_history=not options.no_history)
    elif sys.stdin is not None:
        from nsmc.reading.opening import opened

        pipe = opened("-")
        return _exit_code(answer_pipe(predictor, pipe, encoding, unsure_below))
    return 0


def _leave_the_terminal(signum: int, frame: object) -> None:
    """By an exception, so that readline puts the terminal back as it was."""
    raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)


def _predict_file(bundle: Path, options: argparse.Namespace) -> int:
    from nsmc.runtime.batch_predict import predict_file

    return_memory_early()
    predictor = load_predictor(bundle)
    form = file_format(options, bundle, predictor.config, labelled=False)
    unsure_below, output = options.unsure_below, options.output or "-"
    tally = predict_file(predictor, options.input, output, form, unsure_below)
    for message in filter(None, [tally.doubt, *tally.messages]):
        print_message(f"nsmc: {message}")
    if options.output not in (None, "-"):
        rows = f"{tally.rows:,} row{'s' * (tally.rows != 1)}"
        unsure = "" if unsure_below is None else f", {tally.unsure:,} of them unsure"
        print_message(f"wrote {rows} to {options.output}{unsure}")
    return _exit_code(tally)


def _exit_code(tally: "Tally") -> int:
    """The exit code; where too many rows are damaged, prints how many."""
    if not tally.is_too_much:
        return 0
    print_error(str(tally))
    return 1
