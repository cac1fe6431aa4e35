"""Answers are kept by review, and what no run has written is refused in one line."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from nsmc.comparison.answers import (
    ANSWERS_FILE,
    Answers,
    ReviewKeys,
    answers_of,
    as_ids,
    read_answers,
    write_answers,
)
from nsmc.comparison.slices import slices_of

NAMES = ("bad", "good")


def example() -> Answers:
    texts = ["왜?", "좋다", "별로ㅋㅋ"]
    keys = ReviewKeys(as_ids(["c", "가", "b"]), slices_of(texts))
    probabilities = np.array([[0.75, 0.25], [0.125, 0.875], [0.5, 0.5]])
    return answers_of(keys, np.array([0, 1, 1]), probabilities, NAMES)


def test_answers_are_in_the_order_of_their_ids() -> None:
    answers = example()
    assert [key.decode() for key in answers.ids.tolist()] == ["b", "c", "가"]
    assert answers.labels.tolist() == [1, 0, 1]
    assert answers.answers.tolist() == [0, 0, 1]
    assert answers.probabilities.tolist() == [0.5, 0.75, 0.875]
    assert answers.label_probabilities.tolist() == [0.5, 0.75, 0.875]
    assert answers.is_right.tolist() == [False, True, True]
    assert answers.slices.tolist() == slices_of(["별로ㅋㅋ", "왜?", "좋다"]).tolist()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = example()
    write_answers(tmp_path, {"val": written})
    read = read_answers(tmp_path, "val")
    assert read is not None
    assert read.names == NAMES and read.slice_names == written.slice_names
    for name in ("ids", "labels", "answers", "probabilities", "label_probabilities", "slices"):
        assert np.array_equal(getattr(read, name), getattr(written, name)), name
    assert read_answers(tmp_path, "test") is None


def test_a_run_of_before_has_no_answers(tmp_path: Path) -> None:
    assert read_answers(tmp_path, "val") is None
    assert read_answers(tmp_path / "nowhere", "val") is None


def test_ids_that_are_the_same_or_too_long_still_tell_reviews_apart() -> None:
    ids = as_ids(["7", "7", "x" * 500, "x" * 499, "", "7", "\0", "\ud800"])
    assert len(set(ids.tolist())) == 8
    assert ids.tolist()[:2] == [b"7", b"7#2"]
    assert as_ids(["a", "a", "a#2", "a"]).tolist() == [b"a", b"a#2", b"a#2#2", b"a#3"]
    assert ids.dtype.itemsize <= 64
    assert np.array_equal(ids, as_ids(["7", "7", "x" * 500, "x" * 499, "", "7", "\0", "\ud800"]))


def good() -> dict[str, Any]:
    return {
        "val.ids": np.array([[97], [98]], np.uint8),
        "val.labels": np.array([0, 1], np.int16),
        "val.answers": np.array([0, 1], np.int16),
        "val.probabilities": np.array([0.5, 1], np.float32),
        "val.label_probabilities": np.array([0.5, 1], np.float32),
        "val.slices": np.array([0, 1], np.uint16),
    }


def put(folder: Path, tensors: dict[str, Any], **about: str) -> None:
    metadata = {"format": "nsmc-answers-1", "labels": '["a", "b"]', "slices": "[]", **about}
    save_file(tensors, folder / ANSWERS_FILE, metadata)


@pytest.mark.parametrize(
    "changed",
    [
        {"val.ids": np.array([[98], [97]], np.uint8)},
        {"val.ids": np.array([[97], [97]], np.uint8)},
        {"val.ids": np.array([97, 98], np.uint8)},
        {"val.ids": np.zeros((2, 0), np.uint8)},
        {"val.labels": np.array([0, 2], np.int16)},
        {"val.answers": np.array([-1, 1], np.int16)},
        {"val.answers": np.array([0, 1], np.int64)},
        {"val.answers": np.array([0], np.int16)},
        {"val.probabilities": np.array([0.5, 1.5], np.float32)},
        {"val.label_probabilities": np.array([0.5, np.nan], np.float32)},
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    put(tmp_path, good())
    assert read_answers(tmp_path, "val") is not None
    put(tmp_path, good() | changed)
    with pytest.raises(ValueError, match=ANSWERS_FILE):
        read_answers(tmp_path, "val")


@pytest.mark.parametrize(
    "about",
    [
        {"format": "other"},
        {"labels": ""},
        {"labels": "{}"},
        {"labels": "[1]"},
        {"labels": "[" * 100_000},
        {"slices": json.dumps(["s"] * 17)},
    ],
)
def test_a_header_that_is_not_ours_is_refused(tmp_path: Path, about: dict[str, str]) -> None:
    put(tmp_path, good(), **about)
    with pytest.raises(ValueError, match=ANSWERS_FILE):
        read_answers(tmp_path, "val")


@pytest.mark.parametrize("kind", ["empty", "garbage", "missing array", "pipe", "giant"])
def test_what_is_no_such_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ANSWERS_FILE
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "missing array":
        put(tmp_path, {name: array for name, array in good().items() if name != "val.answers"})
    else:
        path.write_bytes(b"" if kind == "empty" else b"\xff" * 100)
        if kind == "giant":
            os.truncate(path, 1 << 40)
    with pytest.raises(ValueError, match=ANSWERS_FILE):
        read_answers(tmp_path, "val")
