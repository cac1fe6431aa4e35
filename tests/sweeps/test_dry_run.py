"""What a plan says of a sweep's jobs: their parameters, and how long they will take."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runs.record import write_record
from nsmc.sweeps.dry_run import estimate, in_words, parameter_count, plan_table, seconds_by_shape
from nsmc.sweeps.plan import plan_jobs

Composed = Callable[..., dict[str, Any]]


def test_estimates_come_from_runs_of_the_same_shape(composed: Composed, tmp_path: Path) -> None:
    sweeps = tmp_path / "outputs" / "sweeps"
    compose = partial(composed, "data=sample")
    (job,) = plan_jobs(lambda own: compose(*own), [["trainer.max_epochs=2"]], sweeps / "one", False)
    assert job.config is not None
    for number, epoch in enumerate((10.0, 14.0, 12.0)):
        done = {"epochs": 2, "train_seconds": 2 * epoch, "seconds": 2 * epoch + 3}
        about = {"config": job.config.model_dump(), "corpus_fingerprint": job.corpus}
        folder = tmp_path / "outputs" / "runs" / str(number)
        folder.mkdir(parents=True)
        write_record(folder, {"status": "finished", **done, **about})
    several = {**done, **about, "seconds": 7000.0, "recipe": {}}  # a recipe's: of all its steps
    for name in ("recipe", "another", "third", "fourth"):
        (tmp_path / "outputs" / "runs" / name).mkdir()
        write_record(tmp_path / "outputs" / "runs" / name, {"status": "finished", **several})
    known = seconds_by_shape(tmp_path / "outputs")
    longer = check_config(composed("data=sample", "trainer.max_epochs=5", "seed=9"))
    assert estimate(longer, job.corpus, known) == pytest.approx(5 * 12 + 3)
    assert estimate(longer, "another corpus", known) is None
    wider = check_config(composed("data=sample", "model.hidden_size=64"))
    assert estimate(wider, job.corpus, known) is None
    for other in ("experiment=best", "experiment=linear"):
        assert estimate(check_config(composed("data=sample", other)), job.corpus, known) is None

    combinations = [["seed=1"], ["model.hidden_size=64"]]
    jobs = plan_jobs(lambda own: compose(*own), combinations, sweeps / "one", False)
    table = plan_table(jobs, sweeps / "one")
    assert f"seed=1                new    {parameter_count(longer):,}" in table
    assert "about 75 s" in table and "unknown" in table
    assert "75 s, without 1 of a shape that no earlier run had" in table


def test_parameters_are_those_of_the_model(composed: Composed) -> None:
    config = check_config(composed("data.vocab_size=300", "model.hidden_size=8"))
    # embedding, the GRU's two matrices and biases, the last layer
    assert parameter_count(config) == 300 * 128 + 3 * 8 * (128 + 8 + 2) + 2 * 8 + 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (99, "99 s"), (120, "2 min"), (5400, "90 min"), (12_000, "3 h 20 min")],
)
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
