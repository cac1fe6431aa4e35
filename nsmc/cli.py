"""The `nsmc` command: a thin face over the runtime, the conversions and the reports.

It imports numpy and tokenizers only once it is known that they are needed, what draws reports only
for a report, and never torch.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import nsmc
from nsmc.atomic import refusal
from nsmc.runtime.extras import needs_extra
from nsmc.streams import accept_every_text
from nsmc.terminal import harmless, harmless_lines
from nsmc.termination import exit_on_signals, leave, set_handlers

if TYPE_CHECKING:
    from nsmc.runtime.damage import Tally

_OPTION = re.compile(r"--[a-z0-9]+(-[a-z0-9]+)*(=|$)", re.IGNORECASE | re.ASCII)
_PREDICT_OPTIONS = ("--help", "--input", "--output", "--column", "--format")

_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 4 << 20  # glibc's M_MMAP_THRESHOLD, and bytes

OUTPUTS = Path("outputs")  # where bundles that were trained here are


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        exit_on_signals("")
    accept_every_text()
    # Reviews are classified in threads of our own: those of a matrix library would be too many.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        options = _parser().parse_args(_marked(words))
        code: int = options.run(options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except (OSError, ValueError, MemoryError, RuntimeError) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        line = _describe(error)
        if not line:  # a bug
            raise
        _say(f"nsmc: error: {line}")
        return 1
    else:
        return code
    return 0


def _describe(error: Exception) -> str:
    """What went wrong, in one line; "" for what no user can mend."""
    told = isinstance(error, OSError) and refusal(error, error.filename or "standard output")
    line = " ".join((told or str(error)).split())
    if isinstance(error, MemoryError) or "start new thread" in line:
        return "not enough memory"
    return "" if isinstance(error, RuntimeError) else line


def _say(text: str) -> None:
    """Print a message on standard error; it may quote a file or a name of anyone's."""
    print(harmless(text), file=sys.stderr)


def _show(text: str, is_data: bool = False) -> None:
    """Print an answer; data for programs are cleaned only where a terminal would show them."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    print(text if is_data and not is_terminal else harmless_lines(text))


def _marked(words: list[str]) -> list[str]:
    """The words, with `--` before reviews; one such as "-_-" or "--;;" is no option.

    Raises ValueError for what looks like an option and is none.
    """
    if words[:1] != ["predict"] or "--" in words:
        return words
    options = [word.partition("=")[0] for word in words if _OPTION.match(word)]
    for option in options:
        if not any(name.startswith(option) for name in _PREDICT_OPTIONS):
            raise ValueError(f"{option}: no such option; {_instead_of(option)}")
    return words if options or words[1:2] == ["-h"] else ["predict", "--", *words[1:]]


def _instead_of(option: str) -> str:
    from difflib import get_close_matches  # which takes its time, and is seldom needed

    near = get_close_matches(option.lower(), _PREDICT_OPTIONS, n=1)
    return f"did you mean {near[0]}?" if near else "-- goes before a review that begins so"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(harmless(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nsmc",
        description="Classifies Korean reviews with a trained bundle; reports on training runs.",
    )
    parser.add_argument("--version", action="version", version=f"nsmc {nsmc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_predict(commands)
    _add_evaluate(commands)
    _add_bundle_commands(commands)
    _add_run_commands(commands)
    return parser


def _add_predict(commands: Any) -> None:
    command = commands.add_parser(
        "predict",
        help="say whether reviews are positive or negative",
        usage="nsmc predict [BUNDLE] [TEXT ...]\n       nsmc predict [BUNDLE] --input FILE [...]",
        description=(
            "Prints label, probability and text of each TEXT, separated by tabs. Without a TEXT, "
            "asks for reviews on a terminal (q, exit or quit ends it), and reads a pipe line by "
            "line. With --input, classifies a file of any size. Without a BUNDLE, takes the newest "
            "under outputs/, else the one that comes with the package, which is also called "
            "pretrained. Exit code 1 where more than a tenth of the rows cannot be read."
        ),
    )
    command.add_argument(
        "words",
        nargs="*",
        metavar="BUNDLE TEXT",
        help="a folder or pretrained, then reviews; after --, they may look like options",
    )
    _add_file_options(command, required=False)
    command.add_argument(
        "--output", metavar="FILE", help="appears when it is complete; by default what is printed"
    )
    command.set_defaults(run=predict)


def _add_file_options(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "--input",
        required=required,
        metavar="FILE",
        help="TSV, CSV, JSON Lines or text; - is a pipe",
    )
    command.add_argument("--column", metavar="NAME", help="of the reviews (default: document)")
    command.add_argument(
        "--format",
        choices=("tsv", "csv", "jsonl", "text"),
        help="of the file, where its extension does not say it",
    )


def _add_evaluate(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate",
        help="measure a bundle on labelled reviews",
        description=(
            "Accuracy, F1, area under the ROC curve, cross-entropy, calibration error, confusion "
            "matrix and the most confident mistakes. Damaged rows are left out and counted; more "
            "than a tenth of them, and a label that is not the bundle's, are refused."
        ),
    )
    _add_bundle(command)
    _add_file_options(command, required=True)
    command.add_argument(
        "--label",
        default="label",
        metavar="NAME",
        help="column of 0 and 1 or of the bundle's label names (default: label)",
    )
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(run=evaluate)


def _add_bundle(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help=(
            "by default the newest under outputs/, of a sweep the best, else pretrained, which is "
            "in the package"
        ),
    )


def _add_bundle_commands(commands: Any) -> None:
    command = commands.add_parser("info", help="say what is in a bundle")
    _add_bundle(command)
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(run=info)
    command = commands.add_parser(
        "convert",
        help="write a bundle in another form",
        description=(
            "float16 halves the file, float32 undoes that; onnx is for programs that read it. Says "
            "the size and the largest difference of a probability."
        ),
    )
    _add_bundle(command)
    command.add_argument("--to", required=True, choices=("float16", "float32", "onnx"))
    command.add_argument(
        "--output", type=Path, metavar="FOLDER", help="by default beside the bundle: BUNDLE-float16"
    )
    command.set_defaults(run=convert)


def _add_run_commands(commands: Any) -> None:
    command = commands.add_parser(
        "report",
        help="compare the runs of one or more folders",
        description=(
            "Reports on every run below the folders: a table of the settings, best first, on the "
            "terminal; leaderboard.csv, leaderboard.md, plots and the page report.html in a folder."
        ),
    )
    command.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="holds runs")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where to write; by default the one FOLDER, or outputs/report for several",
    )
    command.set_defaults(run=report)
    command = commands.add_parser(
        "rerun",
        help="run a recorded job once more and compare",
        description=(
            "Runs the job of a run's folder again, with the same configuration, seed and data, and "
            "says whether the result is the same; on a CPU it is, to the bit. Exit code 1 if not."
        ),
    )
    command.add_argument("folder", type=Path, metavar="RUN_FOLDER", help="has the run.json")
    command.add_argument("--root", metavar="FOLDER", help="where the corpus is now")
    command.set_defaults(run=rerun)


def predict(options: argparse.Namespace) -> int:
    """Answer for a file, the texts, the terminal or the pipe."""
    from nsmc.runtime.choosing import split_words
    from nsmc.runtime.predictor import Predictor

    named, texts = split_words(options.words)
    for name in ("output", "column", "format"):
        if options.input is None and getattr(options, name) is not None:
            raise ValueError(f"--{name} is for files: name one with --input")
    if options.input is not None and named is None and len(texts) == 1:
        named, texts = Path(texts[0]), []  # beside a file, a word can name a bundle alone
    if options.input is not None and texts:
        raise ValueError(f"{texts[0]!r}: --input takes the reviews from the file alone")
    predictor = Predictor.load(_chosen(named))
    if options.input is not None:
        return _predict_file(predictor, options)
    from nsmc.runtime.conversation import answer_pipe, answer_texts, converse

    if texts:
        answer_texts(predictor, texts)
    elif sys.stdin is not None and sys.stdin.isatty():
        set_handlers(_leave_the_terminal)
        converse(predictor)
    elif sys.stdin is not None:
        return _exit_code(answer_pipe(predictor, sys.stdin.buffer))
    return 0


def _leave_the_terminal(signum: int, frame: object) -> None:
    """By an exception, so that readline puts the terminal back as it was."""
    raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)


def _return_memory_early() -> None:
    """Let the C library give large blocks back at once; else every thread keeps some for itself."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError, TypeError):  # another system's
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)


def _predict_file(predictor: "nsmc.Predictor", options: argparse.Namespace) -> int:
    from nsmc.runtime.files import predict_file

    _return_memory_early()
    tally = predict_file(
        predictor,
        options.input,
        options.output or "-",
        options.column or "document",
        options.format,
    )
    for line, error in tally.first:
        _say(f"nsmc: line {line}: {error}")
    if options.output not in (None, "-"):
        _say(f"{tally.rows:,} reviews -> {options.output}")
    return _exit_code(tally)


def _exit_code(tally: "Tally") -> int:
    """The exit code of answers, damaged rows among them; where those are too many, says so."""
    if not tally.is_too_much:
        return 0
    _say(f"nsmc: error: {tally}")
    return 1


def evaluate(options: argparse.Namespace) -> int:
    """Measure on a file."""
    from nsmc.runtime.evaluation import evaluate
    from nsmc.runtime.lines import name_of, opened
    from nsmc.runtime.predictor import Predictor
    from nsmc.runtime.tables import Columns, format_of, read_rows

    _return_memory_early()
    predictor = Predictor.load(_chosen(options.bundle))
    columns = Columns(options.column or "document", options.label)
    kind = options.format or format_of(options.input)
    if kind == "text":
        raise ValueError(f"{name_of(options.input)}: a text file has no labels; see --format")
    with opened(options.input) as stream:
        found = evaluate(predictor, read_rows(stream, kind, columns, name_of(options.input)))
    for line, error in found.skipped[:10]:
        _say(f"nsmc: line {line} left out: {error}")
    _show(_as_json(found.as_json()) if options.json else found.as_text(), is_data=options.json)
    return 0


def info(options: argparse.Namespace) -> int:
    """Say what is in a bundle."""
    from nsmc.runtime.info import as_text, info

    content = info(_chosen(options.bundle))
    _show(_as_json(content) if options.json else as_text(content), is_data=options.json)
    return 0


def convert(options: argparse.Namespace) -> int:
    """Write a bundle in another form."""
    from nsmc.conversion.convert import convert

    _show(str(convert(_chosen(options.bundle), options.to, options.output)))
    return 0


def report(options: argparse.Namespace) -> int:
    """Report over folders of runs. Raises what `write_report` raises."""
    with needs_training_libraries():
        from nsmc.reports.report import write_report

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    ansi = is_terminal and "NO_COLOR" not in os.environ
    print(write_report(options.folders, options.output, ansi=ansi))
    return 0


def rerun(options: argparse.Namespace) -> int:
    """Run a recorded job again; 0 where the result is the same. Raises what `rerun` raises."""
    with needs_training_libraries():
        from nsmc.runs.rerun import rerun
        from nsmc.training.signals import Interrupted, raise_on_signals

    raise_on_signals()
    try:
        return int(not rerun(options.folder, options.root))
    except (KeyboardInterrupt, Interrupted) as error:
        print("interrupted", file=sys.stderr)
        leave(error.exit_code if isinstance(error, Interrupted) else 130)


def _chosen(named: Path | None) -> Path:
    """The bundle that is named, or the one that is taken instead, which is said."""
    from nsmc.runtime.choosing import bundle_folder, chosen_bundle

    if named is not None:
        return bundle_folder(named)
    folder, why = chosen_bundle(OUTPUTS)
    _say(f"using {folder}{why and f' ({why})'}")
    return folder


def _as_json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)


@contextlib.contextmanager
def needs_training_libraries() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('this command', 'train')}") from error


if __name__ == "__main__":
    sys.exit(main())
