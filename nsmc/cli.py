"""The `nsmc` command: a thin face over the runtime and the reports.

It imports numpy and tokenizers only once it is known that they are needed, what draws reports only
for a report, and never torch.
"""

import argparse
import contextlib
import io
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import nsmc

if TYPE_CHECKING:
    from nsmc.runtime.predictor import Predictor

PROMPT = "영화 리뷰를 입력하세요: "
QUIT_WORDS = ("q", "exit", "quit")

# The blog post's words for its two answers; a bundle with other labels answers with those.
_SENTENCES = {"positive": "긍정적인 리뷰", "negative": "부정적인 리뷰"}

# Classes of characters that make a terminal show what follows in another order.
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")

_LONGEST_ECHO = 200  # characters of a review that are repeated beside its answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["predict"] and words[1:2] not in (["-h"], ["--help"]) and "--" not in words:
        words.insert(1, "--")  # a review such as "-_-" is no option
    options = _parser().parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # for a terminal without Hangul
    try:
        if options.command == "report":
            report(options.folders, options.output)
        elif options.command == "rerun":
            return int(not rerun(options.folder, options.root))
        else:
            predict(options.words)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except (OSError, ValueError, MemoryError) as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        line = " ".join(str(error).split()) or "not enough memory"
        print(f"nsmc: error: {line}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nsmc",
        description="Classifies Korean reviews with a trained bundle; reports on training runs.",
    )
    parser.add_argument("--version", action="version", version=f"nsmc {nsmc.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "predict",
        help="say whether reviews are positive or negative",
        usage="nsmc predict [BUNDLE] [TEXT ...]",
        description=(
            "Prints label, probability and text of each TEXT, separated by tabs. Without a TEXT, "
            "asks for reviews on a terminal (q, exit or quit ends it), and reads a pipe line by "
            "line. Without a BUNDLE, takes the newest under outputs/."
        ),
    )
    command.add_argument("words", nargs="*", metavar="BUNDLE TEXT", help="a folder, then reviews")
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
    return parser


def predict(words: Sequence[str]) -> None:
    """Answer for the texts, the terminal or the pipe. Raises what `Predictor.load` raises."""
    from nsmc.runtime.predictor import Predictor

    folder, texts = split_words(words)
    if folder is None:
        folder = newest_bundle(Path("outputs"))
        print(f"using {folder}", file=sys.stderr)
    predictor = Predictor.load(folder)
    if texts:
        answer_lines(predictor, texts)
    elif sys.stdin is not None and sys.stdin.isatty():
        converse(predictor)
    elif sys.stdin is not None:
        answer_lines(predictor, piped_lines())


def report(folders: Sequence[Path], output: Path | None) -> None:
    """Report over folders of runs. Raises what `write_report` raises."""
    with needs_training_libraries():
        from nsmc.experiments.reports.report import write_report

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    print(write_report(folders, output, ansi=is_terminal and "NO_COLOR" not in os.environ))


def rerun(folder: Path, root: str | None) -> bool:
    """Run a recorded job again; whether the result is the same. Raises what `rerun` raises."""
    with needs_training_libraries():
        from nsmc.experiments.rerun import rerun
        from nsmc.training.signals import Interrupted

    try:
        return rerun(folder, root)
    except Interrupted:
        raise KeyboardInterrupt from None


@contextlib.contextmanager
def needs_training_libraries() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ValueError(
            f"{error}: this needs the training libraries, pip install 'nsmc[train]'"
        ) from error


def split_words(words: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    """The bundle's folder, where the first word names one, and the texts.

    A first word with a slash and no space is taken for a path, so that a mistyped one is refused
    rather than classified.
    """
    if not words or not words[0].strip():
        return None, words
    looks_like_path = "/" in words[0] and not any(c.isspace() for c in words[0])
    try:
        path = Path(words[0]).expanduser()
        if looks_like_path or path.exists():
            return path, words[1:]
    except (OSError, ValueError, RuntimeError):  # too long for a path, a NUL, "~" and no such user
        pass
    return None, words


def newest_bundle(outputs: Path) -> Path:
    """The bundle that was written last, pretrained encoders aside.

    Raises FileNotFoundError where there is none.
    """
    configs = [
        path
        for path in outputs.glob("**/bundle/config.json")
        # An export's scratch folder begins with a dot.
        if not any(part.startswith(".") for part in path.relative_to(outputs).parts)
    ]
    configs.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in configs:
        if _classifies(path):
            return path.parent
    raise FileNotFoundError(
        f"there is no bundle under {outputs.absolute()}: name one, or train one with "
        "python train.py"
    )


def _classifies(config: Path) -> bool:
    """Whether a bundle's configuration has labels; a damaged one is for the reader to refuse."""
    try:
        return json.loads(config.read_text(encoding="utf-8")).get("labels") != []
    except (OSError, ValueError, AttributeError):
        return True


def answer_lines(predictor: "Predictor", texts: Iterable[str]) -> None:
    """Print a line for each text as soon as it is known: label, probability, text."""
    for text in texts:
        if text.strip():
            answer = predictor([text])[0]
            print(answer.label, f"{answer.probability:.4f}", _echo(text), sep="\t", flush=True)
        else:
            print("empty", "", "", sep="\t", flush=True)


def piped_lines() -> Iterator[str]:
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def converse(predictor: "Predictor") -> None:
    """Ask for reviews and answer, as the blog post's program does, until the user has enough."""
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() line editing, where the platform has it
    while True:
        try:
            text = input(PROMPT).strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if text.lower() in QUIT_WORDS:
            return
        if text:
            answer = predictor([text])[0]
            sentence = _SENTENCES.get(answer.label, answer.label)
            print(f"{sentence} ({answer.probability:.1%})")


def _echo(text: str) -> str:
    """The text in one line that does the terminal no harm."""
    shown = text[:_LONGEST_ECHO] + ("…" if len(text) > _LONGEST_ECHO else "")
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_harmful(c) else c for c in shown)


def _is_harmful(char: str) -> bool:
    harmful = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, separators of lines and paragraphs
    return unicodedata.category(char) in harmful or unicodedata.bidirectional(char) in _TURNING


if __name__ == "__main__":
    sys.exit(main())
