"""A file's rows are counted by what they are; texts are compared without being kept."""

from dataclasses import replace
from pathlib import Path

import pytest

import nsmc.data.inspection
from nsmc.data.corpus import CorpusForm
from nsmc.data.inspection import Inspection, inspect, overlap
from nsmc.data.tokenizer import train_tokenizer
from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import LabelRules
from tests.bundles import wrapped

FORM = CorpusForm(FileFormat(text_column="text", label_column="stars"))
ROWS = ("재밌다,5", " 재밌다 ,1", "별로,1", ",3", "\u200b좋아♥♥,5", "깨짐", "보통,3", "별로,1")


def looked_at(folder: Path, *rows: str, form: CorpusForm = FORM) -> Inspection:
    path = folder / "reviews.csv"
    path.write_text("\n".join(["text,stars", *rows]) + "\n", encoding="utf-8")
    tokenizer = train_tokenizer(
        ["재밌다"] * 2, vocab_size=300, min_frequency=2, normalization="nfc"
    )
    return inspect(path, form, wrapped(tokenizer))


@pytest.mark.parametrize("batch", [1, 3, 10_000])
def test_rows_are_counted_by_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(nsmc.data.inspection, "_BATCH", batch)
    found = looked_at(tmp_path, *ROWS).as_json(("1", "3", "5"))
    counts = ("rows", "reviews", "empty", "damaged", "duplicates", "conflicting_texts")
    assert [found[name] for name in counts] == [8, 6, 1, 1, 2, 1]
    assert found["labels"] == {"1": 3, "3": 1, "5": 2}
    assert found["errors"] == ["line 7: 1 fields where the first row has 2 (is the file cut off?)"]
    assert found["odd_characters"] == {"U+2665 BLACK HEART SUIT": 2, "U+200B ZERO WIDTH SPACE": 1}
    assert found["characters"]["longest"] == 5
    assert found["tokens"]["mean"] > 1


def test_labels_are_mapped_and_those_that_are_not_are_no_damage(tmp_path: Path) -> None:
    rules = LabelRules(mapping={"1": "bad", "3": None})
    found = looked_at(tmp_path, *ROWS, form=replace(FORM, labels=rules))
    assert dict(found.labels) == {"bad": 3}
    assert (found.mapped_to_none, found.damaged, found.unknown_labels) == (1, 1, 2)
    assert found.values == {"1": 3, "3": 1, "5": 2}
    assert "line 2: label '5' is not in data.label_map ('1', '3')" in found.errors


def test_texts_that_two_files_share_are_counted_once(tmp_path: Path) -> None:
    training, part = looked_at(tmp_path, *ROWS), looked_at(tmp_path, "별로 ,5", "별로,5", "새 글,1")
    assert overlap(part, training) == 1
