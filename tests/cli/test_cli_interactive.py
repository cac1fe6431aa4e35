"""`nsmc predict` on a terminal, where a person types."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nsmc.runtime.interactive import PROMPT
from nsmc.runtime.predictor import Predictor
from tests.cli.running import BAD, GOOD, PATIENCE, environment, write_small_bundle

IN_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = ["nsmc", *sys.argv[1:]]
runpy.run_module("nsmc.cli", run_name="__main__", alter_sys=True)
"""


def session(bundle: Path, *typed: bytes) -> tuple[int, list[str]]:
    """Type each of these when the prompt is there; returns exit code and what followed each."""
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "predict", str(bundle)],
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        env=environment(),
    )
    os.close(end)
    try:
        before = read_until(terminal, PROMPT.encode())
        assert before.endswith(PROMPT.encode()), before
        shown = []
        for keys in typed[:-1]:
            os.write(terminal, keys)
            shown.append(read_until(terminal, PROMPT.encode()))
        os.write(terminal, typed[-1])
        shown.append(read_until(terminal, None, again=typed[-1]))
        return process.wait(PATIENCE), [part.decode(errors="replace") for part in shown]
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def read_until(terminal: int, awaited: bytes | None, again: bytes = b"") -> bytes:
    """What the terminal shows up to and with `awaited`, or, for None, until the program ends.

    A signal between readline's prompt and its wait for keys is noticed only with the next key: so
    when nothing happens for some seconds, `again` is typed, as a user would.
    """
    shown = b""
    deadline = time.monotonic() + PATIENCE
    while awaited is None or awaited not in shown:
        assert time.monotonic() < deadline, f"waited in vain for {awaited!r} after {shown!r}"
        ready, _, _ = select.select([terminal], [], [], 5)
        try:
            if ready:
                shown += os.read(terminal, 65536)
            else:
                os.write(terminal, again)
        except OSError:  # how Linux says that the other end was closed
            assert awaited is None, shown
            break
    return shown


@pytest.mark.parametrize(
    "keys",
    [b"q\n", b"exit\n", b"quit\n", b" Quit \n", b"\x04", b"\x03", "영화\x03".encode()],
    ids=["q", "exit", "quit", "Quit", "Ctrl-D", "Ctrl-C", "Ctrl-C amid a review"],
)
def test_a_terminal_session_answers_in_korean_and_every_way_out_is_quiet(
    bundle: Path, predictor: Predictor, keys: bytes
) -> None:
    good, bad = predictor([GOOD, BAD])
    code, shown = session(bundle, f"{GOOD}\n".encode(), b"\n", f" {BAD} \n".encode(), keys)
    assert f"긍정적인 리뷰 ({good.probability:.1%})\r\n" in shown[0]
    assert "리뷰 (" not in shown[1]  # an empty line is asked again
    assert f"부정적인 리뷰 ({bad.probability:.1%})\r\n" in shown[2]
    assert code == 0
    assert "Traceback" not in shown[3]
    assert "Error" not in shown[3]
    assert "리뷰 (" not in shown[3]


def test_a_terminal_survives_what_is_not_utf_8(bundle: Path) -> None:
    code, shown = session(bundle, b"\xff\xfe!\n", f"{GOOD}\n".encode(), b"q\n")
    assert "리뷰 (" in shown[0]
    assert "긍정적인 리뷰 (" in shown[1]
    assert code == 0


def test_a_bundle_with_labels_of_its_own_answers_with_those(tmp_path: Path) -> None:
    folder = write_small_bundle(tmp_path / "bundle", ("별로", "추천"))
    code, shown = session(folder, f"{GOOD}\n".encode(), b"q\n")
    assert "추천 (" in shown[0]
    assert code == 0
