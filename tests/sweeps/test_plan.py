"""The plan of a sweep: names, states, and what is run again."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.runs.record import occupied, write_record
from nsmc.sweeps.dry_run import counts
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


def test_a_recipe_that_could_not_run_is_refused_in_the_plan(
    composed: Composed, tmp_path: Path
) -> None:
    good, bad = plan(composed, tmp_path, *(["experiment=pair", f"seed={seed}"] for seed in (1, 2)))
    assert (good.state, bad.state) == ("new", "refused")
    assert "self-taught and self-taught-again are the same, seed=2" in bad.error


def test_a_corpus_to_be_downloaded_is_known_by_what_is_published(
    composed: Composed, tmp_path: Path
) -> None:
    def compose(overrides: Sequence[str]) -> dict[str, Any]:
        return composed(f"data.root={tmp_path}/nowhere", *overrides)

    (job,) = plan_jobs(compose, [[]], tmp_path, False)
    assert job.state == "new" and job.corpus


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
