"""A corpus's files are told apart by their content, and read into parts that share no text."""

from dataclasses import replace
from pathlib import Path

import pytest

from nsmc.data.cache import digest_of, digest_of_file
from nsmc.data.corpus import CorpusForm
from nsmc.data.download import RemoteFile
from nsmc.data.files import CorpusFiles, log_summary, shared_texts, summary_of
from nsmc.data.splitting import HELD_OUT, SplitSettings
from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import LabelRules

EMPTY = {"without a text": 1}


@pytest.fixture
def files(tmp_path: Path) -> CorpusFiles:
    rows = [f"{number}\t글 {number}\t{number % 2}" for number in range(20)]
    for name, part in (("train.txt", rows), ("test.txt", ["x\t시 험\t1", "y\t\t0"])):
        text = "\n".join(["id\tdocument\tlabel", *part])
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "more.txt").write_text("id\tdocument\nu\t시험\nv\t글0\nw\t새 글\nx\t\n", "utf-8")
    return CorpusFiles(tmp_path, "train.txt", SplitSettings(0.2, 0), "test.txt")


def test_parts_are_read_by_name(files: CorpusFiles) -> None:
    parts = replace(files, unlabelled_file="more.txt").read()
    assert {name: len(part) for name, part in parts.items()} == {
        **{"train": 16, "val": 4, "test": 1},
        "unlabelled": 1 + ("글 0" not in parts["val"].texts),  # 시험 is in the test part
    }
    lost = 3 - len(parts["unlabelled"])
    assert parts["unlabelled"].ids[-1] == "w"
    assert parts["unlabelled"].left_out == {**EMPTY, HELD_OUT: lost}
    assert (parts["test"].ids, parts["test"].left_out) == (["x"], EMPTY)
    assert files.read(keep_ids=False)["train"].ids == []


def test_the_fingerprint_is_that_of_both_files_and_of_a_published_one_that_is_missing(
    files: CorpusFiles,
) -> None:
    train, test = (digest_of_file(files.root / name) for name in ("train.txt", "test.txt"))
    assert files.fingerprint() == digest_of([train, test])
    (files.root / "test.txt").unlink()
    with pytest.raises(FileNotFoundError):
        files.fingerprint()
    untested = replace(files, needs_test=False)
    assert untested.fingerprint() == digest_of([train])
    published = replace(untested, remote_files={"test.txt": RemoteFile("", test)})
    assert published.fingerprint() == digest_of([train, test])


def written(folder: Path, name: str, *rows: str) -> None:
    (folder / name).write_text("\n".join(["text,stars", *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def any_form(tmp_path: Path) -> CorpusFiles:
    """30 reviews of three labels, in one file without ids."""
    written(tmp_path, "train.csv", *(f"글 {number},{number % 3}" for number in range(30)))
    form = CorpusForm(FileFormat(text_column="text", label_column="stars"))
    return CorpusFiles(tmp_path, "train.csv", SplitSettings(0.25, 0, 0.2), form=form)


def test_without_other_files_all_parts_are_of_the_training_file(any_form: CorpusFiles) -> None:
    parts = any_form.read()
    assert {name: len(part) for name, part in parts.items()} == {"train": 18, "val": 6, "test": 6}
    assert {part.label_names for part in parts.values()} == {("0", "1", "2")}
    assert not shared_texts(parts)


def test_a_test_part_is_held_out_even_where_no_test_is_wanted(any_form: CorpusFiles) -> None:
    """So that what is trained with test=false can be measured on that part later."""
    parts = replace(any_form, needs_test=False).read()
    assert parts["test"].ids == any_form.read()["test"].ids


def test_a_validation_file_is_the_validation_part(any_form: CorpusFiles) -> None:
    written(any_form.root, "val.csv", "새 글,2", "글 3,0")
    files = replace(any_form, validation_file="val.csv")
    parts = files.read()
    assert {name: len(part) for name, part in parts.items()} == {"train": 24, "val": 2, "test": 6}
    assert parts["val"].labels.tolist() == [2, 0]
    assert parts["val"].ids == ["val 1", "val 2"]  # no ids of the training file
    assert shared_texts(parts) == [
        ("val", "train", 1) if "글 3" in parts["train"].texts else ("test", "val", 1)
    ]
    assert files.fingerprint() != any_form.fingerprint()
    written(any_form.root, "val.csv", "새 글,3")
    with pytest.raises(ValueError, match=r"val\.csv, line 2: label '3' is not in the tr"):
        files.read()


def test_texts_that_validation_and_test_share_are_warned_of_with_their_number(
    any_form: CorpusFiles, caplog: pytest.LogCaptureFixture
) -> None:
    written(any_form.root, "val.csv", "새 글,2", "다른 글,0", "글 0,0")
    written(any_form.root, "test.csv", "새 글,2", " 새 글 ,2", "또 다른 글,1")
    files = replace(any_form, validation_file="val.csv", test_file="test.csv")
    log_summary(summary_of(files.read()), files.root)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "1 of the validation part's 3 reviews have a text of the training part",
        "2 of the test part's 3 reviews have a text of the validation part",
    ]


def test_without_a_label_column_a_classifier_has_nothing_to_learn(any_form: CorpusFiles) -> None:
    files = replace(any_form, form=CorpusForm(FileFormat(text_column="text", label_column=None)))
    with pytest.raises(ValueError, match=r"train\.csv: no review has a label; a classifier learns"):
        files.read()
    parts = replace(files, classifier=False).read()
    assert [*parts] == ["train", "val", "test"]
    assert parts["train"].label_names == ()


def test_a_label_that_is_listed_needs_reviews(any_form: CorpusFiles) -> None:
    form = replace(any_form.form, labels=LabelRules(("0", "1", "2", "seldom")))
    files = replace(any_form, form=form)
    message = r"train\.csv: no review has the label 'seldom'; leave it out of data\.labels, or add"
    with pytest.raises(ValueError, match=message):
        files.read()
    assert replace(files, classifier=False).read()["train"].label_names[-1] == "seldom"


def test_a_label_that_is_mapped_to_needs_reviews(any_form: CorpusFiles) -> None:
    rules = LabelRules(mapping={"0-1": "low", "2": "high", "3-10": "higher", "none": None})
    files = replace(any_form, form=replace(any_form.form, labels=rules))
    message = (
        r"train\.csv: no review has the label 'higher', which data\.label_map has for '3-10'; "
        r"leave it out of data\.label_map, or add reviews with it"
    )
    with pytest.raises(ValueError, match=message):
        files.read()


def test_keys_of_the_map_that_no_file_has_are_warned_of(
    any_form: CorpusFiles, caplog: pytest.LogCaptureFixture
) -> None:
    rules = LabelRules(mapping={"0": "a", "1-2": "b", "3-4": "b", "5": "a", "6": None})
    written(any_form.root, "test.csv", "새 글,5", "새 글 2,0")
    form = replace(any_form.form, labels=rules)
    files = replace(any_form, form=form, test_file="test.csv")
    log_summary(summary_of(files.read()), files.root)
    (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    assert warning == "data.label_map: no row has a label for '3-4', '6'; is the map right?"


def test_what_is_left_out_is_said_with_its_number(
    any_form: CorpusFiles, caplog: pytest.LogCaptureFixture
) -> None:
    rules = LabelRules(mapping={"0": "a", "1": "b", "2": None})
    written(any_form.root, "test.csv", "새 글,1", ",0")
    files = replace(any_form, form=replace(any_form.form, labels=rules), test_file="test.csv")
    with caplog.at_level("INFO"):
        log_summary(summary_of(files.read()), files.root)
    assert caplog.messages[0].endswith(
        "reviews; left out: 10 rows with a label that data.label_map maps to null, 1 row without a "
        "text"
    )


def test_folds_of_one_corpus_have_one_fingerprint(any_form: CorpusFiles) -> None:
    folds = [
        replace(any_form, split=SplitSettings(0.25, 0, folds=5, fold=fold)) for fold in range(5)
    ]
    assert len({files.fingerprint() for files in folds}) == 1
    tested = [text for files in folds for text in files.read()["test"].texts]
    assert sorted(tested) == sorted(f"글 {number}" for number in range(30))
