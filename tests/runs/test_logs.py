"""A log file that cannot be written says so once, and stops nothing."""

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsmc.runs.logs import LogFile


@pytest.fixture
def log(tmp_path: Path) -> Iterator[logging.Logger]:
    handler = LogFile(tmp_path / "run.log", encoding="utf-8", errors="backslashreplace", delay=True)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_lines_are_written_whatever_is_in_them(log: logging.Logger, tmp_path: Path) -> None:
    log.info("한글 \ud800")
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == "한글 \\ud800\n"


def test_a_full_disk_is_told_of_once(
    log: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(handler: LogFile) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LogFile, "flush", full)
    for _ in range(3):
        log.info("line")
    monkeypatch.undo()
    (line,) = capsys.readouterr().err.splitlines()
    assert "run.log lacks lines: No space left on device" in line


def test_a_file_that_cannot_be_opened_is_told_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.Logger("test")
    logger.addHandler(LogFile(tmp_path / "no" / "run.log", delay=True))
    for _ in range(3):
        logger.info("line")
    (line,) = capsys.readouterr().err.splitlines()
    assert "run.log lacks lines: No such file or directory" in line
