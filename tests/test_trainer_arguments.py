"""The Trainer's arguments in real runs: each does what it says, and keeps the promises of a run."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nsmc.runtime.predictor import Predictor
from tests.commands import run, train


def record_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


# 30 training reviews in 4 batches of 8, 10 to validate on in one batch, 8 to test on in one.


def test_fast_dev_run_tries_each_stage_and_keeps_nothing(corpus: Path, tmp_path: Path) -> None:
    callback = "callbacks.extra.lr={_target_: pytorch_lightning.callbacks.LearningRateMonitor}"
    finished = train(corpus, "trainer.fast_dev_run=true", callback, f"hydra.run.dir={tmp_path}")
    assert "bundle checked" in finished.stderr and "each stage was tried" in finished.stdout
    assert "nsmc predict" not in finished.stdout
    record = record_of(tmp_path)
    assert (record["status"], record["steps"], record["metrics"]) == ("finished", 1, {})
    names = ("bundle", "checkpoints", "answers.safetensors", "hardest_reviews.json")
    assert not any((tmp_path / name).exists() for name in names)


def test_overfitting_repeats_the_same_batches(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.overfit_batches=1", "trainer.max_epochs=30", "model.schedule=constant")
    plain = ("model.dropout=0", "model.word_dropout=0", f"hydra.run.dir={tmp_path}")
    train(corpus, *settings, *plain, "logger=none", "test=false")
    history = record_of(tmp_path)["history"]
    assert [epoch["step"] for epoch in history] == [*range(1, 31)]
    assert history[-1]["train/loss"] < 0.1 * history[0]["train/loss"]
    # What is measured on a part of the reviews is nothing that a bundle should claim.
    assert Predictor.load(tmp_path / "bundle").config.metrics == {}


@pytest.mark.parametrize(("limit", "steps"), [("2", 4), ("0.5", 4), ("1.0", 8), ("1", 2)])
def test_limits_are_numbers_and_shares_of_batches(
    corpus: Path, tmp_path: Path, limit: str, steps: int
) -> None:
    limits = [f"trainer.limit_{part}_batches={limit}" for part in ("train", "val", "test")]
    train(corpus, *limits, "data.eval_batch_size=2", "logger=none", f"hydra.run.dir={tmp_path}")
    record = record_of(tmp_path)
    assert record["steps"] == steps
    reviews = {"2": 4, "0.5": 4, "1.0": 8, "1": 2}[limit]  # of the 8 to test on
    assert record["metrics"]["test/accuracy"] * reviews % 1 == 0
    has_all = limit == "1.0"
    assert bool(Predictor.load(tmp_path / "bundle").config.metrics) == has_all


def test_accumulated_batches_make_one_step(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.accumulate_grad_batches=3", "logger=csv", f"hydra.run.dir={tmp_path}")
    train(corpus, *settings, "trainer.log_every_n_steps=1")
    # Of 4 batches three make a step, and the last one another; the schedule's end is the rate of
    # the last step, which was logged after the one before.
    assert record_of(tmp_path)["steps"] == 4
    lines = (tmp_path / "csv" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("train/learning_rate")
    rates = [float(cell) for line in lines[1:] if (cell := line.split(",")[column])]
    assert len(rates) == 4 and rates[2] < 1e-3 * max(rates)


@pytest.mark.parametrize(
    "settings",
    [
        ["trainer.accumulate_grad_batches=4"],
        ["trainer.val_check_interval=0.3", "trainer.accumulate_grad_batches=2"],
    ],
)
def test_killed_runs_end_to_the_bit(settings: list[str]) -> None:
    command = [sys.executable, "-m", "tests.crash_recovery", "--trials", "2", "--seed", "3"]
    assert "identical: 2 of 2" in run([*command, *settings]).stdout


def test_the_best_of_the_validations_within_an_epoch_is_kept(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.val_check_interval=1", "trainer.max_epochs=3", "logger=csv")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}")
    lines = (tmp_path / "csv" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    measured = [(float(row["val/accuracy"]), int(row["step"])) for row in rows if row["val/loss"]]
    assert len(measured) == 12
    best = max(accuracy for accuracy, _ in measured)
    assert record_of(tmp_path)["metrics"]["val/accuracy"] == pytest.approx(best, abs=1e-5)
    first = min(step for accuracy, step in measured if accuracy == best)
    (kept,) = (tmp_path / "checkpoints").glob("epoch-*-step-*.ckpt")
    assert kept.stem.endswith(f"step-{first + 1}")


def test_an_epoch_without_a_validation_has_no_metrics_of_one(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.check_val_every_n_epoch=2", "trainer.max_epochs=3", "logger=none")
    finished = train(corpus, *settings, f"hydra.run.dir={tmp_path}")
    history = record_of(tmp_path)["history"]
    assert ["val/loss" in epoch for epoch in history] == [False, True, False]
    assert "no validation followed the last 4 of 12 steps: what is exported is" in finished.stderr


def test_limits_that_leave_no_batch_are_refused_before_anything_is_encoded(
    corpus: Path, tmp_path: Path
) -> None:
    for _ in ("to be encoded", "encoded by no one"):
        settings = ("trainer.limit_val_batches=0.5", f"hydra.run.dir={tmp_path}/run")
        finished = train(corpus, *settings, f"data.cache_dir={tmp_path}/cache", expect=1)
        assert "trainer.limit_val_batches=0.5: the validation part has 1 batch" in finished.stderr
        assert "training the tokenizer" not in finished.stderr
        assert not (tmp_path / "run" / "bundle").exists()


def test_steps_may_end_a_run_within_an_epoch(corpus: Path, tmp_path: Path) -> None:
    settings = (
        "trainer.max_steps=6",
        "trainer.max_epochs=-1",
        "logger=none",
        "trainer.min_steps=9",
    )
    finished = train(corpus, *settings, f"hydra.run.dir={tmp_path}")
    assert "epoch 2: train loss" in finished.stderr and "stopped early" not in finished.stderr
    record = record_of(tmp_path)
    assert record["steps"] == 6
    # The last step was validated, too.
    assert [epoch["step"] for epoch in record["history"] if "val/loss" in epoch] == [4, 6]
    assert "no validation followed" not in finished.stderr
    # Killed at its end, it has nothing left to train.
    written = json.dumps(record | {"status": "interrupted"})
    (tmp_path / "run.json").write_text(written, encoding="utf-8")
    run([sys.executable, "train.py", f"resume={tmp_path}"])
    again = record_of(tmp_path)
    assert (again["steps"], again["metrics"]) == (6, record["metrics"])
    assert again["history"] == record["history"]


def test_time_may_end_a_run(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.max_time={seconds: 1}", "trainer.max_epochs=-1", "logger=none")
    train(corpus, *settings, "model.schedule=constant", f"hydra.run.dir={tmp_path}")
    record = record_of(tmp_path)
    assert record["status"] == "finished" and "val/loss" in record["history"][-1]


@pytest.mark.parametrize("profiler", ["simple", "advanced", "pytorch"])
def test_a_profile_is_in_the_runs_folder(corpus: Path, tmp_path: Path, profiler: str) -> None:
    settings = (f"trainer.profiler={profiler}", "logger=none", f"hydra.run.dir={tmp_path}")
    train(corpus, *settings, "trainer.max_epochs=1")
    assert (tmp_path / "fit-profile.txt").stat().st_size > 0


def test_other_arguments_reach_the_trainer(corpus: Path, tmp_path: Path) -> None:
    settings = (
        *("trainer.detect_anomaly=true", "trainer.gradient_clip_algorithm=value"),
        *("trainer.benchmark=false", "trainer.num_sanity_val_steps=1", "trainer.min_epochs=1"),
        *("trainer.reload_dataloaders_every_n_epochs=1", "trainer.inference_mode=false"),
        *("trainer.enable_model_summary=true", "trainer.deterministic=warn"),
    )
    train(corpus, *settings, f"hydra.run.dir={tmp_path}")
    assert len(record_of(tmp_path)["history"]) == 2
