"""`nsmc predict` on a terminal, where a person types."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nsmc.cli.prompt import ENGLISH, KOREAN, Language
from nsmc.runtime.predictor import Predictor
from tests.cli.running import BAD, GOOD, PATIENCE, environment, write_small_bundle

IN_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = ["nsmc", *sys.argv[1:]]
runpy.run_module("nsmc.cli", run_name="__main__", alter_sys=True)
"""


# Not LC_ALL, so that readline is in a locale that every machine has.
IN_KOREAN = {"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8"}


def session(
    folder: Path, *typed: bytes, language: Language = KOREAN, options: Sequence[str] = (), **to: str
) -> tuple[int, list[str]]:
    """Type each of these when the prompt is there; returns exit code and what came before each.

    And after the last. The bundle is in the `folder`, and what is typed is kept there.
    """
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    locale = IN_KOREAN if language is KOREAN else {}
    changes = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), **locale, **to}
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "predict", str(folder / "bundle"), *options],
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        env=environment(**changes),
    )
    os.close(end)
    prompt = language.prompt.encode()
    try:
        shown = [read_until(terminal, prompt)]
        for keys in typed[:-1]:
            os.write(terminal, keys)
            shown.append(read_until(terminal, prompt))
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


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """One with a bundle in it."""
    (tmp_path / "bundle").symlink_to(bundle)
    return tmp_path


@pytest.mark.parametrize(
    "keys",
    [b"q\n", b"exit\n", b"quit\n", b" Quit \n", b"\x04", b"\x03", "영화\x03".encode()],
    ids=["q", "exit", "quit", "Quit", "Ctrl-D", "Ctrl-C", "Ctrl-C amid a review"],
)
def test_a_terminal_session_answers_in_korean_and_every_way_out_is_quiet(
    folder: Path, predictor: Predictor, keys: bytes
) -> None:
    good, bad = predictor([GOOD, BAD])
    code, shown = session(folder, f"{GOOD}\n".encode(), f" {BAD} \n".encode(), keys)
    assert KOREAN.help in shown[0]
    assert f"긍정적인 리뷰 ({good.probability:.1%})\r\n" in shown[1]
    assert f"부정적인 리뷰 ({bad.probability:.1%})\r\n" in shown[2]
    assert code == 0
    assert "Traceback" not in shown[3]
    assert "Error" not in shown[3]
    assert "리뷰 (" not in shown[3]


def test_a_terminal_survives_what_is_not_utf_8(folder: Path) -> None:
    code, shown = session(folder, b"\xff\xfe!\n", f"{GOOD}\n".encode(), b"q\n")
    assert "리뷰 (" in shown[1]
    assert "긍정적인 리뷰 (" in shown[2]
    assert code == 0


@pytest.mark.parametrize("name", ["C", "ko_KR.of-no-system"])
def test_hangul_is_typed_where_the_locale_has_none_or_is_missing(
    folder: Path, predictor: Predictor, name: str
) -> None:
    language = KOREAN if name.startswith("ko") else ENGLISH
    typed = f"{GOOD[:-1]}가\x7f{GOOD[-1]}\n".encode()  # a letter is one, when it is taken back, too
    code, shown = session(folder, typed, b"\x1b[A\n", b"q\n", language=language, LC_ALL=name)
    (answer,) = predictor([GOOD])
    expected = f"{language.sentences[answer.label]} ({answer.probability:.1%})\r\n"
    assert expected in shown[1]
    assert expected in shown[2]  # by the arrow key
    assert code == 0


def test_a_bundle_with_labels_of_its_own_answers_with_those(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle", ("별로", "추천"))
    code, shown = session(tmp_path, f"{GOOD}\n".encode(), b"q\n")
    assert "추천 (" in shown[1]
    assert code == 0


@pytest.mark.parametrize("language", [KOREAN, ENGLISH], ids=["ko", "en"])
def test_an_empty_line_shows_why_the_last_answer_was_given(
    folder: Path, language: Language
) -> None:
    options = ["--unsure-below", "0.99"]
    typed = (b"\n", f"{GOOD}\n".encode(), b"\n", b"q\n")
    _, shown = session(folder, *typed, language=language, options=options)
    assert language.help in shown[0] and language.help in shown[1]  # there is no answer yet
    assert language.sentences["positive"] in shown[2] and f", {language.unsure})" in shown[2]
    lines = shown[3].splitlines()
    assert all(title in lines[3] for title in language.headings[:4])
    assert [line.split()[0] for line in lines[4:6]] == GOOD.split()
    assert "\x1b[30;48;5;" in lines[1]  # in colour
    assert (shown[0] + lines[3]).isascii() == (language is ENGLISH)


def test_what_was_typed_comes_back_with_the_arrow_keys(folder: Path) -> None:
    _, shown = session(folder, f"{GOOD}\n".encode(), b"\x1b[A\n", b"q\n")
    assert GOOD in shown[2] and "긍정적인 리뷰 (" in shown[2]
    file = folder / "state" / "nsmc" / "history"
    assert str(file) in shown[0]
    assert file.read_text("utf-8") == f"{GOOD}\n"  # neither twice, nor q
    assert file.stat().st_mode & 0o777 == 0o600
    _, shown = session(folder, b"\x1b[A\n", b"q\n")  # the next day
    assert GOOD in shown[1] and "긍정적인 리뷰 (" in shown[1]
    assert str(file) not in shown[0]


def test_nothing_is_kept_where_the_user_does_not_want_it_or_it_cannot_be(folder: Path) -> None:
    _, shown = session(folder, f"{GOOD}\n".encode(), b"\x1b[A\n", b"q\n", options=["--no-history"])
    assert GOOD in shown[2]  # in this session
    assert not (folder / "state").exists()
    (folder / "a file").touch()
    code, shown = session(folder, f"{GOOD}\n".encode(), b"q\n", XDG_STATE_HOME=f"{folder}/a file")
    assert "긍정적인 리뷰 (" in shown[1]
    assert "--no-history" not in shown[0]
    assert code == 0
