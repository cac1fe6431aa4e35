"""Parses the command line, runs the subcommand, and ends in one line where a user can help."""

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import nsmc
from nsmc.atomic import refusal
from nsmc.cli.messages import print_error
from nsmc.terminal import accept_every_text, harmless
from nsmc.termination import exit_on_signals

# Each is a module of this folder, in the order of `nsmc --help`.
SUBCOMMANDS = (
    *("predict", "explain", "evaluate", "info", "convert", "merge", "push", "serve"),
    *("data", "train", "lr", "report", "compare", "rerun"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        exit_on_signals("interrupted" if words[:1] == ["train"] else "")
        if words[:1] in (["predict"], ["explain"]):
            # Python would end with a search for objects in cycles, a tenth of an answer's time.
            # None of ours holds what must be written: files are closed where they are.
            atexit.register(gc.freeze)
    accept_every_text()
    try:
        return _run(words)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except (OSError, ValueError, MemoryError, RuntimeError) as error:
        line = _describe(error)
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or not line:  # without a line it is a bug
            raise
        print_error(line)
        return 1


def _run(words: list[str]) -> int:
    if words[:1] in (["train"], ["-sc"]):
        from nsmc.cli.train import complete, run

        return run(words[1:]) if words[0] == "train" else complete(words)
    # Reviews are classified in threads of our own: those of a matrix library would be too many.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if words[:1] == ["explain"] and "--" not in words:
        from nsmc.cli.predict import options_first

        words = options_first(words, ("--output",), ("--json", "--help"))
    if words[:1] == ["predict"]:
        from nsmc.cli.predict import protect_reviews

        words = protect_reviews(words)
    options = _parser(words).parse_args(words)
    code: int = options.run(options)
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _narrow(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=78)


class _Parser(argparse.ArgumentParser):
    """Asks how wide the terminal is for help alone: that imports all that compresses files."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": _narrow, **settings})

    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        super().error(harmless(message))


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of the subcommand that is named, else of all: each takes its time to import."""
    parser = _Parser(
        prog="nsmc",
        description="Classifies Korean reviews with a bundle; trains bundles and compares them.",
    )
    parser.add_argument("--version", action="version", version=f"nsmc {nsmc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in words[:1] if words and words[0] in SUBCOMMANDS else SUBCOMMANDS:
        import_module(f"nsmc.cli.{name}").add_parser(commands)
    return parser


def _describe(error: Exception) -> str:
    """What went wrong, in one line; "" where no user can do anything about it."""
    refused = isinstance(error, OSError) and refusal(error, error.filename or "standard output")
    line = " ".join((refused or str(error)).split())
    if isinstance(error, MemoryError) or "start new thread" in line:
        return "not enough memory"
    return "" if isinstance(error, RuntimeError) else line
