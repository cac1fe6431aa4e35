"""Asks a person at a terminal for reviews, in Korean or English, and answers."""

import contextlib
import locale
import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from nsmc.cli.history import History
from nsmc.cli.messages import has_colour
from nsmc.runtime import explanation_text
from nsmc.runtime.explanation_text import Headings, words_as_text
from nsmc.runtime.predictor import Prediction, Predictor
from nsmc.terminal import harmless

QUIT_WORDS = ("q", "exit", "quit")

_END = "Ctrl-Z" if os.name == "nt" else "Ctrl-D"


class Language(NamedTuple):
    """What the prompt says; it answers in `sentences` where they have all of a bundle's labels."""

    prompt: str
    help: str
    kept: str  # of {path}
    unsure: str
    sentences: Mapping[str, str]
    headings: Headings


KOREAN = Language(
    prompt="영화 리뷰를 입력하세요: ",
    help=(
        "빈 줄에서 Enter를 누르면 방금 답의 이유를 보여 줍니다. "
        f"끝내려면 q를 입력하거나 {_END}를 누르세요."
    ),
    kept=(
        "입력한 리뷰는 화살표 키로 다시 불러오도록 {path}에 남깁니다. "
        "남기지 않으려면 --no-history를 붙이세요."
    ),
    unsure="확실하지 않음",
    # The blog post's words for its two answers.
    sentences={"positive": "긍정적인 리뷰", "negative": "부정적인 리뷰"},
    headings=Headings("단어", "여기까지", "빼면", "기여", "(읽지 않음)"),
)
ENGLISH = Language(
    prompt="Enter a review: ",
    help=f"Enter alone shows why the last answer was given; q or {_END} leaves.",
    kept="What you enter is kept in {path}, for the arrow keys; --no-history keeps nothing.",
    unsure="unsure",
    sentences={"positive": "positive review", "negative": "negative review"},
    headings=explanation_text.ENGLISH,
)


def users_language() -> Language:
    """Korean where the locale is, which the first of these variables that is not empty names."""
    names = ("LC_ALL", "LC_MESSAGES", "LANG")
    found = next(filter(None, map(os.environ.get, names)), "")
    return KOREAN if found.startswith("ko") else ENGLISH


def _accept_every_letter() -> None:
    """Let readline take the bytes of Hangul for letters where the locale does not.

    It would take them for commands in C, and in a locale that the system lacks, as many a server
    lacks that of the terminal one comes from. Python itself reads UTF-8 there.
    """
    if locale.setlocale(locale.LC_CTYPE) == "C" and sys.flags.utf8_mode:
        with contextlib.suppress(locale.Error):  # not every system has this one, either
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")  # of the lines for the arrow keys
            os.environ["LC_ALL"] = "C.UTF-8"  # of what is typed, for which readline asks anew


def converse(predictor: Predictor, unsure_below: float | None, keeps_history: bool) -> None:
    """Ask for reviews and answer until the user quits; an empty line asks why."""
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    language = users_language()
    _accept_every_letter()
    history = History(keeps_history)
    print(language.help)
    if history.is_new:
        print(harmless(language.kept.format(path=history.path)))
    last = ""
    while True:
        try:
            text = input(language.prompt).strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if text.lower() in QUIT_WORDS:
            return
        if text:
            last = text
            history.add(text)
            (answer,) = predictor([text], unsure_below=unsure_below)
            print(_sentence(answer, predictor.config.labels, language))
        elif last:
            print(words_as_text(predictor.explain(last), has_colour(), language.headings))
        else:
            print(language.help)


def _sentence(answer: Prediction, labels: tuple[str, ...], language: Language) -> str:
    has_sentences = all(label in language.sentences for label in labels)
    label = language.sentences[answer.label] if has_sentences else harmless(answer.label)
    doubt = f", {language.unsure}" if answer.is_unsure else ""
    return f"{label} ({answer.probability:.1%}{doubt})"
