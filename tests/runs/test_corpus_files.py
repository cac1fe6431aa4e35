"""A corpus is told from others by what is in its files."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runs import corpus_files
from nsmc.runs.corpus_files import (
    corpus_fingerprint,
    files_of,
    remembered_fingerprint,
    training_fingerprint,
    warn_of_own_test,
)

Composed = Callable[..., dict[str, Any]]


def test_a_test_file_counts_where_it_is_there_or_published_and_may_be_missing_without_a_test(
    composed: Composed, tmp_path: Path
) -> None:
    data = check_config(composed("data=folder", f"data.root={tmp_path}")).data
    assert data.test_file
    with pytest.raises(FileNotFoundError, match=r"ratings_train\.txt is not there; set data\.root"):
        corpus_fingerprint(data, test=False)
    (tmp_path / data.train_file).write_text("train")
    with pytest.raises(FileNotFoundError, match=r"ratings_test\.txt is not there; .*test=false"):
        corpus_fingerprint(data, test=True)
    assert corpus_fingerprint(data, test=False) == training_fingerprint(data)

    (tmp_path / data.test_file).write_text("test")
    whole = corpus_fingerprint(data, test=True)
    assert whole == corpus_fingerprint(data, test=False) != training_fingerprint(data)
    assert whole == "48c749da2288da93"  # that of all records so far: it must not change
    (tmp_path / data.test_file).unlink()
    digest = hashlib.sha256(b"test").hexdigest()
    remote = {data.test_file: {"url": "http://127.0.0.1:9/x", "sha256": digest}}
    values = composed("data=folder", f"data.root={tmp_path}")
    published = check_config({**values, "data": {**values["data"], "remote_files": remote}}).data
    assert corpus_fingerprint(published, test=False) == whole


def test_a_file_that_is_both_for_training_and_for_testing_is_noticed(
    composed: Composed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = check_config(composed("data=folder", f"data.root={tmp_path}")).data
    assert data.test_file
    for content, warnings in (("two", 0), ("one", 1)):
        (tmp_path / data.train_file).write_text("one")
        (tmp_path / data.test_file).write_text(content)
        warn_of_own_test(data)
        assert len(caplog.records) == warnings


def test_a_home_folder_may_be_written_as_a_tilde(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = check_config(composed("data=folder", "data.root='~/corpus'"))
    assert files_of(config).root == tmp_path / "corpus"


def test_a_corpus_that_many_runs_have_is_read_once(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = check_config(composed("data=folder", f"data.root={tmp_path}")).data
    assert data.test_file
    other = data.model_copy(update={"split_seed": 7, "batch_size": 3})
    (tmp_path / data.train_file).write_text("train")
    fingerprint = remembered_fingerprint()
    first = fingerprint(data, False)
    monkeypatch.setattr(corpus_files, "digest_of_file", None)
    assert fingerprint(other, False) == first
    with pytest.raises(TypeError):
        fingerprint(data.model_copy(update={"name": "other", "test_file": "x.txt"}), False)
