"""A sweep's winner is that of its report, and damaged records change nothing."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nsmc.runtime.winner import winner_beside

LABELS = '{"labels": ["negative", "positive"]}'


def write(sweep: Path, name: str, accuracy: Any, loss: Any = 0.5, **record: Any) -> Path:
    """A finished run of a sweep; its bundle."""
    bundle = sweep / name / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text(LABELS)
    (sweep / "search.db").touch()
    metrics = {"val/accuracy": accuracy, "val/loss": loss}
    content = {"status": "finished", "corpus_fingerprint": "f1", "metrics": metrics}
    content |= {"config": {"model": {"lr": name}}, **record}
    (sweep / name / "run.json").write_text(json.dumps(content))
    return bundle


def test_the_best_run_of_the_best_setting_over_seeds_wins(tmp_path: Path) -> None:
    for lr, accuracies in ((0.1, (0.8, 0.9)), (0.2, (0.2, 0.95))):
        for seed, accuracy in enumerate(accuracies):
            data = {"split_seed": seed, "root": f"r{seed}"}
            config = {"model": {"lr": lr}, "seed": seed, "data": data, "search": {"trial": seed}}
            write(tmp_path, f"{lr}-{seed}", accuracy, config=config)
    found = winner_beside(tmp_path / "0.2-1" / "bundle")
    assert found == (tmp_path / "0.1-1" / "bundle", "best of 2 settings by val/accuracy")


def test_the_metric_is_that_which_chose_the_epochs(tmp_path: Path) -> None:
    monitor = {"callbacks": {"checkpoint": {"monitor": "val/loss"}}}
    for name, accuracy, loss in (("a", 0.9, 0.5), ("b", 0.7, 0.3), ("c", 0.8, 0.4)):
        config = {"model": {"lr": name}, **monitor}
        last = write(tmp_path, name, accuracy, loss, config={}, made_by=config)
    assert winner_beside(last) == (tmp_path / "b" / "bundle", "best of 3 by val/loss")
    other = write(tmp_path, "d", 0.6)  # which was chosen by another: all have an accuracy
    assert winner_beside(other) == (tmp_path / "a" / "bundle", "best of 4 by val/accuracy")


def test_what_cannot_be_compared_does_not_count(tmp_path: Path) -> None:
    bundle = write(tmp_path, "one", 0.5)
    write(tmp_path, "other corpus", 0.9, corpus_fingerprint="f2")
    write(tmp_path, "unfinished", 0.9, status="interrupted")
    encoder = write(tmp_path, "encoder", 0.9)
    (encoder / "config.json").write_text('{"labels": []}')
    (write(tmp_path, "no bundle", 0.9) / "config.json").unlink()
    assert winner_beside(bundle) == (bundle, "best of 1 by val/accuracy")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "7",
        '"text"',
        "[" * 100_000,
        '{"metrics": 3}',
        '{"status": "finished", "corpus_fingerprint": "f1", "metrics": {"val/accuracy": NaN}}',
        '{"status": "finished", "corpus_fingerprint": "f1", "metrics": {"val/accuracy": true}}',
        '{"status": "finished", "corpus_fingerprint": "f1", "metrics": {"val/accuracy": "1"}}',
        '{"status": "finished", "corpus_fingerprint": "f1", "metrics": {"val/accuracy": 1e999}}',
        '{"status": "finished", "corpus_fingerprint": "f1", "metrics": {"val/accuracy": 1'
        + "0" * 999
        + "}}",
        '{"status": ["finished"], "corpus_fingerprint": ["f1"], "config": [], "made_by": 4}',
    ],
)
def test_a_damaged_record_does_not_count(tmp_path: Path, content: str) -> None:
    bundle = write(tmp_path, "one", 0.5)
    damaged = write(tmp_path, "damaged", 0.9)
    (damaged.parent / "run.json").write_text(content)
    assert winner_beside(bundle) == (bundle, "best of 1 by val/accuracy")
    assert winner_beside(damaged) in (None, (bundle, "best of 1 by val/accuracy"))


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    bundle = write(tmp_path, "one", 0.5)
    pipe = write(tmp_path, "pipe", 0.9).parent / "run.json"
    pipe.unlink()
    os.mkfifo(pipe)
    assert winner_beside(bundle) == (bundle, "best of 1 by val/accuracy")


def test_a_run_that_is_in_no_sweep_has_no_winner_beside_it(tmp_path: Path) -> None:
    bundle = write(tmp_path, "one", 0.5)
    (tmp_path / "search.db").unlink()
    assert winner_beside(bundle) is None
    (tmp_path / "multirun.yaml").touch()
    assert winner_beside(bundle) is not None
