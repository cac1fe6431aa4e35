"""The plan of a sweep: names, states, what is run again, and estimates."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.config.schema import check_config
from nsmc.runs.record import occupied, write_record
from nsmc.sweeps.dry_run import (
    counts,
    estimate,
    in_words,
    parameter_count,
    plan_table,
    seconds_by_shape,
)
from nsmc.sweeps.plan import Job, job_name, plan_jobs, record_refused

Composed = Callable[..., dict[str, Any]]


def plan(
    composed: Composed, folder: Path, *combinations: Sequence[str], force: bool = False
) -> list[Job]:
    def compose(overrides: Sequence[str]) -> dict[str, Any]:
        return composed("data=sample", *overrides)

    return plan_jobs(compose, combinations, folder, force)


def finish(job: Job, status: str = "finished", **more: Any) -> None:
    job.folder.mkdir(parents=True)
    write_record(job.folder, {"signature": job.signature, "status": status, **more})


def test_a_job_is_known_by_its_signature(composed: Composed, tmp_path: Path) -> None:
    (job,) = plan(composed, tmp_path, ["seed=1"])
    assert job.state == "new" and job.is_to_run
    finish(job)
    # However it is written, and whatever is beside the point.
    for same in (["seed=1"], ["seed=1", "logger=none"], ["sweep.name=x", "seed=1", "model=gru"]):
        (again,) = plan(composed, tmp_path, same)
        assert (again.state, again.folder) == ("finished", job.folder)
        assert not again.is_to_run
    (other,) = plan(composed, tmp_path, ["seed=2"])
    assert other.state == "new" and other.folder != job.folder


@pytest.mark.parametrize("content", ['{"signature": []}', "[" * 99_999, "", '{"status": "x"}'])
def test_a_job_whose_record_is_damaged_runs_in_a_new_folder_and_the_others_as_planned(
    composed: Composed, tmp_path: Path, content: str
) -> None:
    damaged, other = plan(composed, tmp_path, ["seed=1"], ["seed=2"])
    finish(damaged)
    finish(other)
    (damaged.folder / "run.json").write_text(content)
    again, same = plan(composed, tmp_path, ["seed=1"], ["seed=2"])
    assert (again.state, again.folder.name) == ("new", f"{damaged.folder.name}-2")
    assert (same.state, same.folder) == ("finished", other.folder)


def test_of_a_job_that_was_refused_only_the_record_goes(tmp_path: Path) -> None:
    for name in ("refused", "tampered"):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name, {"refused": True, "status": "failed"})
    (tmp_path / "tampered" / "precious").touch()
    record_refused([], tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        *("tampered", "tampered/precious")
    ]


@pytest.mark.parametrize(
    ("status", "state", "to_run"),
    [
        ("running", "interrupted", True),
        ("interrupted", "interrupted", True),
        ("failed", "failed", True),
        ("finished", "finished", False),
    ],
)
def test_what_has_become_of_a_job(
    composed: Composed, tmp_path: Path, status: str, state: str, to_run: bool
) -> None:
    (job,) = plan(composed, tmp_path, [])
    finish(job, status)
    (again,) = plan(composed, tmp_path, [])
    assert (again.state, again.is_to_run) == (state, to_run)
    (forced,) = plan(composed, tmp_path, [], force=True)
    assert forced.state == "new" and not forced.folder.exists()


def test_a_job_that_another_process_is_at_is_left_to_it(
    composed: Composed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = plan(composed, tmp_path, [])
    finish(job, "running")
    with occupied(job.folder):
        monkeypatch.setattr("nsmc.runs.record.is_occupied", lambda folder: True)
        (again,) = plan(composed, tmp_path, [])
    assert again.state == "running" and not again.is_to_run


def test_the_most_useful_of_a_jobs_folders_counts(composed: Composed, tmp_path: Path) -> None:
    (job,) = plan(composed, tmp_path, [])
    finish(job)
    (forced,) = plan(composed, tmp_path, [], force=True)
    finish(forced, "failed")
    (again,) = plan(composed, tmp_path, [])
    assert (again.state, again.folder) == ("finished", job.folder)


def test_two_ways_to_say_one_job_are_one_job(composed: Composed, tmp_path: Path) -> None:
    assert len(plan(composed, tmp_path, ["seed=1"], ["seed=1", "model=gru"], ["seed=2"])) == 2


def test_wrong_jobs_are_refused_and_named(composed: Composed, tmp_path: Path) -> None:
    jobs = plan(composed, tmp_path, ["model.lr=-1"], ["resume=auto"], ["data.root=/gone"], [])
    assert [job.state for job in jobs] == ["refused", "refused", "refused", "new"]
    assert "model.lr=-1" in jobs[0].error and "a sweep goes on by itself" in jobs[1].error
    assert "/gone/ratings_train.txt is not there" in jobs[2].error
    assert len({job.folder for job in jobs}) == 4
    assert counts(jobs) == "4 jobs: 1 new, 3 refused"


def test_a_corpus_to_be_downloaded_is_known_by_what_is_published(
    composed: Composed, tmp_path: Path
) -> None:
    def compose(overrides: Sequence[str]) -> dict[str, Any]:
        return composed(f"data.root={tmp_path}/nowhere", *overrides)

    (job,) = plan_jobs(compose, [[]], tmp_path, False)
    assert job.state == "new" and job.corpus


def test_estimates_come_from_runs_of_the_same_shape(composed: Composed, tmp_path: Path) -> None:
    sweeps = tmp_path / "outputs" / "sweeps"
    (job,) = plan(composed, sweeps / "one", ["trainer.max_epochs=2"])
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

    jobs = plan(composed, sweeps / "one", ["seed=1"], ["model.hidden_size=64"])
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


def test_names_say_what_was_chosen() -> None:
    overrides = ["data.root=/x", "model=lstm", "model.hidden_size=64", "seed=1", "logger=none"]
    assert job_name(overrides, set(), "3fa9c1e2") == "lstm_hidden_size-64_seed-1_3fa9c1"
    shared = {"model=lstm", "model.hidden_size=64"}
    assert job_name(overrides, shared, "3fa9c1e2") == "lstm_seed-1_3fa9c1"
    assert job_name([], set(), "3fa9c1e2") == "default_3fa9c1"


@given(st.lists(st.text(min_size=1, max_size=80), max_size=20))
def test_names_are_folders(values: list[str]) -> None:
    name = job_name([f"model.architecture={value}" for value in values], set(), "3fa9c1e2")
    assert len(name.encode()) < 200 and name.endswith("_3fa9c1")
    assert not set(name) & set("/\\'\"\0\n ,={}[]$*")
