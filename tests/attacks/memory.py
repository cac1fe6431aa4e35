"""Files that are made to fill the memory: peak of `predict` and `evaluate`, and little memory.

NSMC_ROOT names the real corpus, whose reviews fill the ordinary files; without it, the sample's do.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from nsmc.conversion.convert import sample_texts
from nsmc.data.corpus import read_reviews
from tests.attacks.common import NSMC, Tally, ended

_LARGEST_PEAK = 300  # megabytes
_PATIENCE = 1_200.0  # seconds
_LIMITS = (150, 250, 350, 400, 450, 500, 600, 800)  # megabytes of address space
_GIGABYTE = 10**9


def attack(tally: Tally, scratch: Path) -> None:
    texts = _texts()
    for title, lines, size in _files(texts):
        path = scratch / "reviews.tsv"
        _write(path, lines, size)
        for command in ("predict", "evaluate"):
            words = [command, "pretrained", "--input", str(path)]
            words += ["--output", str(scratch / "answers.tsv")] if command == "predict" else []
            _measure(tally, f"{command}, {title}", words, scratch)
        path.unlink()
    for megabytes in (20, 200):
        path = scratch / "pipe"
        _write(path, itertools.repeat(b"a" * 1_000_000), megabytes * 10**6, header=b"")
        _measure(
            tally, f"a line of {megabytes} MB in a pipe", ["predict", "pretrained"], scratch, path
        )
    _with_little_memory(tally, texts, scratch)


def _texts() -> list[str]:
    root = os.environ.get("NSMC_ROOT", "")
    file = Path(root, "ratings_test.txt")
    return read_reviews(file).texts if root and file.is_file() else sample_texts()


def _files(texts: list[str]) -> Iterator[tuple[str, Iterable[bytes], int]]:
    """Of each file a title, its lines and its size in bytes."""
    reviews = [f"{i}\t{text}\t{i % 2}\n".encode() for i, text in enumerate(texts) if text.strip()]
    long = _joined(texts, 17_000), _joined(texts, 1_000_000)
    yield "1 GB in one line", itertools.repeat(b"a" * 1_000_000), _GIGABYTE
    yield "3,000 lines of 17 kB", itertools.repeat(long[0]), 3_000 * 17_000
    yield "200 MB in lines of 17 kB", itertools.repeat(long[0]), 200 * 10**6
    yield "32 lines of 1 MB", itertools.repeat(long[1]), 32 * 10**6
    for letter in ("a", "ㅋ", "\ufdfa", " "):
        word = letter * (1_000_000 // len(letter.encode()))
        yield f"8 MB in words of 1 MB of {letter!r}", itertools.repeat(_line(word)), 8 * 10**6
    yield "50 MB of ordinary reviews", itertools.cycle(reviews), 50 * 10**6
    yield "4 MB of damaged rows", itertools.repeat(b"1\t2\n"), 4 * 10**6


def _joined(texts: list[str], size: int) -> bytes:
    several = " ".join(texts)
    return _line((several * (size // len(several) + 1)).encode()[:size].decode("utf-8", "ignore"))


def _line(text: str) -> bytes:
    return f"1\t{text}\t1\n".encode()


def _write(
    path: Path, lines: Iterable[bytes], size: int, header: bytes = b"id\tdocument\tlabel\n"
) -> None:
    with path.open("wb") as file:
        file.write(header)
        for line in lines:
            if file.tell() >= size:
                break
            file.write(line)


def _measure(
    tally: Tally, title: str, words: list[str], scratch: Path, stdin: Path | None = None
) -> None:
    done = ended((*NSMC, *words), scratch, _PATIENCE, stdin=stdin)
    tally.figure(f"{title}: {done.megabytes:.0f} MB, {done.seconds:.0f} s")
    ends = done.code in (0, 1) and "Traceback" not in done.stderr
    tally.case(title, ends and done.megabytes < _LARGEST_PEAK, f"{done.code}: {done.stderr}")


def _with_little_memory(tally: Tally, texts: list[str], scratch: Path) -> None:
    """With less than it takes, it ends in one line, and leaves nothing behind."""
    for name, line in {"ordinary": _line(texts[0]), "a word": _line("a" * 1_000_000)}.items():
        _write(scratch / "reviews.tsv", itertools.repeat(line), 3 * 10**6)
        for limit in _LIMITS:
            before = set(scratch.iterdir())
            words = ("predict", "pretrained", "--input", "reviews.tsv", "--output", "answers.tsv")
            done = ended((*NSMC, *words), scratch, megabytes=limit)
            left = {path.name for path in set(scratch.iterdir()) - before} - {"answers.tsv"}
            tally.case(
                f"{limit} MB for {name}",
                (done.code == 0 or done.is_one_line) and not left,
                f"{done.code}, {left}: {done.stderr}",
            )
