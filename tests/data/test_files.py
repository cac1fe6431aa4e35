"""A corpus's files are told apart by their content, and read into parts that share no text."""

from dataclasses import replace
from pathlib import Path

import pytest

from nsmc.data.cache import digest_of, digest_of_file
from nsmc.data.download import RemoteFile
from nsmc.data.files import CorpusFiles


@pytest.fixture
def files(tmp_path: Path) -> CorpusFiles:
    rows = [f"{number}\t글 {number}\t{number % 2}" for number in range(20)]
    for name, part in (("train.txt", rows), ("test.txt", ["x\t시 험\t1", "y\t\t0"])):
        text = "\n".join(["id\tdocument\tlabel", *part])
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "more.txt").write_text("id\tdocument\nu\t시험\nv\t글0\nw\t새 글\nx\t\n", "utf-8")
    return CorpusFiles(tmp_path, "train.txt", "test.txt", {}, 0.2, split_seed=0)


def test_parts_are_read_by_name(files: CorpusFiles) -> None:
    parts = replace(files, unlabelled_file="more.txt").read()
    assert {name: len(part) for name, part in parts.items()} == {
        **{"train": 16, "val": 4, "test": 1},
        "unlabelled": 1 + ("글 0" not in parts["val"].texts),  # 시험 is in the test part
    }
    assert (parts["unlabelled"].ids[-1], parts["unlabelled"].dropped) == ("w", 1)
    assert (parts["test"].ids, parts["test"].dropped) == (["x"], 1)
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
