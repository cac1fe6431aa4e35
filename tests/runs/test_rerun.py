"""A rerun takes a record at its word for what it compares, and for nothing else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.earlier import without_newer_keys
from nsmc.config.schema import check_config
from nsmc.runs import rerun
from nsmc.runs.corpus_files import corpus_fingerprint
from nsmc.runs.record import write_record
from nsmc.runs.signature import signature

Composed = Callable[..., dict[str, Any]]
FINGERPRINT = "0" * 64


@pytest.fixture
def finished(composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The record of a finished run of a linear classifier in `run`; what is run again is not."""
    config = check_config(composed("data=sample", "experiment=linear", "data.unlabelled=false"))
    fingerprint = corpus_fingerprint(config.data, config.test)
    record = {
        **{"status": "finished", "metrics": {"val/accuracy": 0.5}, "threads": 1},
        **{"config": config.model_dump(), "corpus_fingerprint": fingerprint},
        **{"signature": signature(config, fingerprint), "overrides": ["seed=42"]},
    }
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "soft_labels.tsv").write_text("id\tprobability\n")
    write_record(tmp_path / "run", record)

    def run_job(config: Any, folder: Path, *_: Any) -> dict[str, Any]:
        (folder / "soft_labels.tsv").write_text("id\tprobability\n")
        return record

    monkeypatch.setattr(rerun, "run_job", run_job)
    monkeypatch.setattr(rerun, "_log_to", lambda path: None)
    monkeypatch.chdir(tmp_path)
    return record


def test_a_run_of_before_corpora_could_have_any_form_is_run_again(
    finished: dict[str, Any], tmp_path: Path
) -> None:
    old = without_newer_keys(finished["config"])
    assert "text_column" not in old["data"] and old["data"]["labels"] == ["negative", "positive"]
    write_record(tmp_path / "run", {**finished, "config": old})
    assert rerun.rerun(tmp_path / "run")


def test_only_small_files_are_copied(finished: dict[str, Any], tmp_path: Path) -> None:
    hydras = tmp_path / "run" / ".hydra"
    hydras.mkdir()
    (hydras / "config.yaml").write_text("seed: 42")
    (hydras / "hydra.yaml").symlink_to("/dev/zero")
    os.mkfifo(hydras / "overrides.yaml")
    assert rerun.rerun(tmp_path / "run")
    (again,) = (tmp_path / "outputs" / "runs").iterdir()
    assert [path.name for path in (again / ".hydra").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("name", ["metrics", "signature", "corpus_fingerprint", "config"])
def test_a_record_that_lacks_what_is_compared_ends_in_one_line(
    finished: dict[str, Any], tmp_path: Path, name: str
) -> None:
    write_record(tmp_path / "run", {key: each for key, each in finished.items() if key != name})
    with pytest.raises(ValueError, match=f"its run.json has no {name} to compare with"):
        rerun.rerun(tmp_path / "run")


def test_a_rerun_downloads_nothing_and_writes_nothing_elsewhere(
    finished: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stand_in = vars(rerun)["run_job"]

    def run_job(config: Any, folder: Path, *rest: Any) -> dict[str, Any]:
        asked.append(config)
        return stand_in(config, folder, *rest)

    monkeypatch.setattr(rerun, "run_job", run_job)
    data = {**finished["config"]["data"], "cache_dir": f"{tmp_path}/elsewhere"}
    data["remote_files"] = {"more.txt": {"url": "http://example.org/", "sha256": FINGERPRINT}}
    content = {**finished, "config": {**finished["config"], "data": data}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(content))
    assert rerun.rerun(tmp_path / "run")
    (config,) = asked
    assert config.data.cache_dir == "outputs/cache"
    assert config.data.remote_files["more.txt"].url == ""
