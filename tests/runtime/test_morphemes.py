"""Kiwi's morphemes as text: what they look like, and what ends in one clear line."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from nsmc.runtime import morphemes as runtime
from nsmc.runtime.morphemes import analyser_versions, check_analyser, morphemes
from tests.hostile import HOSTILE, PARTS


def test_a_text_becomes_forms_with_their_tags() -> None:
    assert [*morphemes(["재미있는 영화군요 ㅋㅋ 2편도 기대", "", "   "])] == [
        "재미있VA 는ETM 영화NNG 이VCP 군요EF ㅋㅋSW 2SN 편NNB 도JX 기대NNG",
        "",
        "",
    ]


def test_each_text_has_one_line_however_hostile() -> None:
    texts = ["".join(PARTS), *PARTS, *HOSTILE, "\0", "a\nb", "\ud800"]
    found = [*morphemes(texts)]
    assert len(found) == len(texts)
    assert not any({"\n", "\r", "\t", "\u2028"} & {*line} for line in found)
    assert [*morphemes(texts[:5])] == found[:5]  # alone as among others


def test_only_the_beginning_of_an_endless_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_LONGEST", 6)
    assert [*morphemes(["영화 재미 최악이다"])] == [*morphemes(["영화 재미"])]


def test_other_versions_are_refused_with_what_to_install() -> None:
    check_analyser(analyser_versions())
    with pytest.raises(ValueError, match=r"pip install kiwipiepy==0\.1 kiwipiepy_model==0\.2"):
        check_analyser({"kiwipiepy": "0.1", "kiwipiepy_model": "0.2"})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_analyses_and_ends() -> None:
    code = (
        "import os, sys; from nsmc.runtime.morphemes import morphemes\n"
        "expected = [*morphemes(['영화', '재미'])]; child = os.fork()\n"
        "if not child: sys.exit([*morphemes(['영화', '재미'])] != expected)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    started = subprocess.Popen([sys.executable, "-W", "error", "-c", code], start_new_session=True)
    try:
        assert started.wait(timeout=60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)  # the child, too


def test_threads_that_need_it_at_the_same_time_load_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Library:
        loaded = 0

        def Kiwi(self, **_: Any) -> Any:  # noqa: N802 - its name
            self.loaded += 1
            time.sleep(0.1)
            return SimpleNamespace(tokenize=lambda text: [SimpleNamespace(form=text, tag="NNG")])

    library = Library()
    monkeypatch.setattr(runtime, "_library", lambda: library)
    monkeypatch.setattr(runtime, "_loaded_kiwi", functools.cache(runtime._loaded_kiwi.__wrapped__))
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(lambda text: [*morphemes([text])], "가나다라")] == [
            [f"{text}NNG"] for text in "가나다라"
        ]
    assert library.loaded == 1


def test_threads_of_its_own_find_the_same() -> None:
    texts = ["재미있는 영화", "", *HOSTILE]
    assert [*morphemes(texts, in_threads=True)] == [*morphemes(texts)]


def test_without_kiwi_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['kiwipiepy'] = None\n"
        "from nsmc.runtime.morphemes import morphemes\n"
        "try:\n    [*morphemes(['영화'])]\n"
        "except ValueError as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'reading morphemes needs the extra "morphemes"' in said.stdout


def test_kiwi_is_not_imported_by_those_who_do_not_need_it() -> None:
    code = "import sys; from nsmc import Predictor; Predictor.load()(['x']); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "kiwipiepy" not in said.stdout
