"""run.json and what is printed at the end of a run."""

import json
from pathlib import Path

import pytest

from nsmc.experiments.record import RECORD_FILE, write_record
from nsmc.experiments.summary import next_commands, summary

METRICS = {"val/accuracy": 0.75, "val/f1": 0.5, "val/loss": 0.6, "test/accuracy": 0.7}


def test_the_record_says_what_ran_where(tmp_path: Path) -> None:
    write_record(tmp_path, {"metrics": METRICS, "command": "python train.py"})
    record = json.loads((tmp_path / RECORD_FILE).read_text(encoding="utf-8"))
    assert record["metrics"] == METRICS
    assert record["versions"].keys() >= {"python", "torch", "tokenizers"}
    assert record["git_commit"] is None or len(record["git_commit"]) >= 40
    assert [path.name for path in tmp_path.iterdir()] == [RECORD_FILE]


def test_a_failed_write_keeps_the_old_record(tmp_path: Path) -> None:
    write_record(tmp_path, {"metrics": METRICS})
    before = (tmp_path / RECORD_FILE).read_bytes()
    with pytest.raises(TypeError):
        write_record(tmp_path, {"metrics": object()})
    assert (tmp_path / RECORD_FILE).read_bytes() == before


def test_the_summary_shows_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "run" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "nsmc.safetensors").write_bytes(bytes(1_500_000))
    (bundle / "tokenizer.json").write_bytes(bytes(500_000))
    record = {
        "metrics": {**METRICS, "test/f1": 0.25, "test/loss": 0.65},
        "seconds": 12.34,
        "train_seconds": 10.0,
        "reviews_per_second": 4321.0,
        "parameters": 1_379_330,
    }
    lines = summary(record, bundle).splitlines()
    table = [line.split() for line in lines]
    assert ["accuracy", "0.7500", "0.7000"] in table
    assert ["F1", "0.5000", "0.2500"] in table
    assert ["loss", "0.6000", "0.6500"] in table
    assert ["parameters", "1,379,330"] in table
    assert "2.00 MB (weights 1.50 MB)" in summary(record, bundle)
    assert "run" in table[-1]
    assert "predict run/bundle " in next_commands(bundle, "sample")


def test_a_run_without_a_test_shows_validation_alone(tmp_path: Path) -> None:
    (tmp_path / "nsmc.safetensors").write_bytes(b"")
    validation = {key: value for key, value in METRICS.items() if key.startswith("val/")}
    record = {
        "metrics": validation,
        "seconds": 1.0,
        "train_seconds": 1.0,
        "reviews_per_second": 1.0,
        "parameters": 1,
    }
    assert "test" not in summary(record, tmp_path).split("seconds")[0]
