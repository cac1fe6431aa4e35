"""Texts and lines of a pipe are answered one by one, each in one line."""

import io

import pytest

from nsmc.runtime.damage import Damage
from nsmc.runtime.interactive import answer_pipe, answer_texts
from nsmc.runtime.predictor import Prediction, UnsurePrediction


def predictor(texts: list[str], *, unsure_below: float | None) -> list[Prediction]:
    kind = Prediction if unsure_below is None or unsure_below <= 0.75 else UnsurePrediction
    return [kind("positive", 0.75) for _ in texts]


def test_a_text_is_answered_with_its_beginning_and_harmlessly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer_texts(predictor, ["최고", " ", "a\tb\x1b" + "x" * 300])  # type: ignore[arg-type]
    short, empty, long = capsys.readouterr().out.splitlines()
    assert (short, empty) == ("positive\t0.7500\t최고", "empty\t\t")
    beginning = "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}" + "x" * 196
    assert long == f"positive\t0.7500\t{beginning}…"


def test_a_damaged_line_of_a_pipe_is_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    tally = answer_pipe(predictor, io.BytesIO(b"good\n\xff\n\n"))  # type: ignore[arg-type]
    assert (tally.rows, tally.first) == (3, [Damage(2, "not UTF-8")])
    assert capsys.readouterr().out.splitlines() == [
        "positive\t0.7500\tgood",
        "error\t\tline 2: not UTF-8",
        "empty\t\t",
    ]


def test_what_is_unsure_is_said_before_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    for threshold in (0.75, 0.76):
        answer_pipe(predictor, io.BytesIO(b"good\n\xff\n\n"), "utf-8", threshold)  # type: ignore[arg-type]
    rest = ["error\t\t\tline 2: not UTF-8", "empty\t\t\t"]
    assert capsys.readouterr().out.splitlines() == [
        *("positive\t0.7500\tsure\tgood", *rest),
        *("positive\t0.7500\tunsure\tgood", *rest),
    ]
