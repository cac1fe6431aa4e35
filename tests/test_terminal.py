"""Nothing that is printed does a terminal harm, and every output takes every text."""

import io
import sys
import unicodedata

import pytest

from nsmc.terminal import HarmlessStream, accept_every_text, harmless, harmless_lines

HARMFUL = [
    *("\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "\r", "\x08", "\0", "\x7f", "\x85"),
    *("\u2028", "\u2029", "\ud800", "\u202e", "\u2066", "\u2069", "\n", "\t"),
]


@pytest.mark.parametrize("text", HARMFUL, ids=ascii)
def test_what_does_harm_is_replaced_character_by_character(text: str) -> None:
    cleaned = harmless(f"앞{text}뒤")
    assert cleaned.startswith("앞\N{REPLACEMENT CHARACTER}")
    assert len(cleaned) == len(text) + 2
    assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in cleaned)


@pytest.mark.parametrize("text", ["", "좋아요 ㅋㅋ", "👍🏽 👨‍👩‍👧", "שלום", "é ﬁ", "a\xa0b\u3000c"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_lines_and_tabs_are_kept_where_they_are_ours() -> None:
    assert harmless_lines("a\tb\r\nc\rd\n") == "a\tb\nc\N{REPLACEMENT CHARACTER}d\n"


def test_a_stream_is_cleaned() -> None:
    stream = io.StringIO()
    print("a\x1b[2J", "b", sep="\t", file=HarmlessStream(stream))
    assert stream.getvalue() == "a\N{REPLACEMENT CHARACTER}[2J\tb\n"


def test_what_an_output_cannot_encode_is_a_question_mark_and_a_closed_one_takes_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", None)
    accept_every_text()
    print("최고 5", flush=True)
    print("lost", file=sys.stderr)
    sys.stderr.close()
    assert content.getvalue() == b"?? 5\n"
