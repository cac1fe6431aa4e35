"""What was typed at the prompt is kept in a file that stays small, whole and private."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nsmc.cli import history
from nsmc.cli.history import LARGEST, History
from nsmc.cli.prompt import ENGLISH, KOREAN, users_language


class Readline:
    """Stands in for the module, whose lines are those of the whole process."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def set_auto_history(self, enabled: bool) -> None:
        assert not enabled

    def add_history(self, line: str) -> None:
        if "\0" in line:
            raise ValueError("embedded null character")
        self.lines.append(line)


@pytest.fixture
def readline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Readline:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    readline = Readline()
    monkeypatch.setattr(history, "readline", readline)
    return readline


def test_lines_come_back_in_their_order(readline: Readline, tmp_path: Path) -> None:
    first = History(is_kept=True)
    assert first.is_new and first.path == tmp_path / "nsmc" / "history"
    for line in ("하나", "둘", "둘", "a\rb\u2028c", "하나", "nul\0"):
        first.add(line)
    readline.lines.clear()
    assert not History(is_kept=True).is_new
    assert readline.lines == ["하나", "둘", "a\rb\u2028c", "하나"]


def test_the_file_stays_small_and_its_newest_lines_stay(readline: Readline, tmp_path: Path) -> None:
    kept = History(is_kept=True)
    for number in range(200):
        kept.add(f"{number} {'긴' * 1000}")
    kept.add("x" * 5000)  # a book that was pasted
    kept.add("last")
    assert (tmp_path / "nsmc" / "history").stat().st_size <= LARGEST
    readline.lines.clear()
    History(is_kept=True)
    numbers = [int(line.split()[0]) for line in readline.lines[:-1]]
    assert numbers == [*range(numbers[0], 200)] and numbers[0] > 0
    assert readline.lines[-1] == "last"


def test_two_at_once_lose_nothing(readline: Readline, tmp_path: Path) -> None:
    def type_lines(person: int) -> None:
        mine = History(is_kept=True)
        for number in range(50):
            mine.add(f"{person}.{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(type_lines, range(4)))
    lines = (tmp_path / "nsmc" / "history").read_text("utf-8").split()
    assert sorted(lines) == sorted(f"{p}.{n}" for p in range(4) for n in range(50))


def test_a_file_that_somebody_holds_is_not_waited_for(
    readline: Readline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_PATIENCE", 0.05)
    kept = History(is_kept=True)
    with (tmp_path / "nsmc" / "history").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        kept.add("a")
        assert History(is_kept=True).path is None
    kept.add("b")
    assert (tmp_path / "nsmc" / "history").read_text() == "b\n"
    assert readline.lines == ["a", "b"]


def test_a_file_that_others_could_read_becomes_private(readline: Readline, tmp_path: Path) -> None:
    (tmp_path / "nsmc").mkdir()
    file = tmp_path / "nsmc" / "history"
    file.write_bytes(b"old\n\xff\n")
    file.chmod(0o644)
    History(is_kept=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert readline.lines == ["old", "\N{REPLACEMENT CHARACTER}"]


def test_what_is_no_file_is_left_alone(readline: Readline, tmp_path: Path) -> None:
    (tmp_path / "nsmc").mkdir()
    file = tmp_path / "nsmc" / "history"
    for is_pipe in (True, False):
        if is_pipe:
            os.mkfifo(file)
        else:
            file.symlink_to(os.devnull)
        kept = History(is_kept=True)
        kept.add("a")
        assert kept.path is None and readline.lines == ["a"]
        readline.lines.clear()
        file.unlink()


def test_a_path_that_is_relative_counts_as_none(
    readline: Readline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert History(is_kept=True).path == tmp_path / ".local" / "state" / "nsmc" / "history"


def test_without_readline_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(history, "readline", None)
    History(is_kept=True).add("a")
    assert not any(tmp_path.iterdir())


def test_the_first_variable_that_is_not_empty_names_the_language(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    for values, language in (
        (("", "", "ko_KR.UTF-8"), KOREAN),
        (("", "ko", "en_US.UTF-8"), KOREAN),
        (("C.UTF-8", "ko_KR.UTF-8", "ko_KR.UTF-8"), ENGLISH),
        (("", "", ""), ENGLISH),
    ):
        for name, value in zip(names, values, strict=True):
            monkeypatch.setenv(name, value)
        assert users_language() is language
