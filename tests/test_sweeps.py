"""`python train.py -m` as a user runs it: planned, resumed, reported, and never run twice."""

import json
import os
import shutil
import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from nsmc.runtime.locate import chosen_bundle
from nsmc.runtime.predictor import Predictor
from tests.commands import PROJECT, run, run_anew, started, train, train_command, wait_for


def place(folder: Path) -> str:
    return f"hydra.sweep.dir={folder}"


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """The record of each job, by its folder's name."""
    found = sorted(folder.glob("*/run.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in found}


def test_a_sweep_leaves_a_folder_for_each_job_and_a_report(corpus: Path, tmp_path: Path) -> None:
    variants = ("-m", "model=gru,lstm", "model.bidirectional=true", "model.pooling=attention")
    settings = ("trainer.max_epochs=1", "data.padding=fixed", place(tmp_path))
    finished = train(corpus, *variants, *settings)
    found = records(tmp_path)
    assert [record["config"]["model"]["architecture"] for record in found.values()] == [
        "gru",
        "lstm",
    ]
    assert [name.partition("_")[0] for name in found] == ["gru", "lstm"]
    assert all(Predictor.load(tmp_path / name / "bundle")(["최고"]) for name in found)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"leaderboard.csv", "leaderboard.md", "report.html", "metric_by_epoch.png"}
    # The report and a bare `nsmc predict` agree on the winner.
    winner, why = chosen_bundle(tmp_path)
    assert why == "best of 2 settings by val/accuracy"
    assert f"best    {winner}\n" in finished.stdout
    assert f"nsmc predict {winner} " in finished.stdout


def test_a_finished_job_is_not_run_again(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.max_epochs=1", place(tmp_path))
    run_anew(train_command(corpus, "-m", "seed=1,2", *settings))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/run.json")}
    finished = train(corpus, "-m", "seed=1,2,3", *settings)
    assert "3 jobs: 1 new, 2 finished" in finished.stderr
    assert len(records(tmp_path)) == 3
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())
    assert "finished runs" in finished.stdout and "    3  " in finished.stdout

    finished = train(corpus, "-m", "seed=1", *settings, "sweep.force=true")
    assert "1 job: 1 new" in finished.stderr
    assert len(records(tmp_path)) == 4
    # Whatever has no effect on the result makes no other job of it.
    finished = train(corpus, "-m", "seed=1,2,3", *settings, "logger=none", "trainer.threads=1")
    assert "3 jobs: 3 finished" in finished.stderr


def test_jobs_that_fail_are_recorded_and_the_others_run(corpus: Path, tmp_path: Path) -> None:
    values = ("model.hidden_size=0,8", "model.lr=0.05,1e30", "trainer.log_every_n_steps=1")
    command = ("-m", *values, "model.schedule=constant", place(tmp_path))
    finished = train(corpus, *command, expect=1)
    assert "3 of 4 jobs not finished" in finished.stderr
    assert "Traceback" not in finished.stderr and "Error executing job" not in finished.stderr
    found = records(tmp_path)
    errors = [record["error"] for record in found.values()]
    assert sum("model.hidden_size=0: must be" in (error or "") for error in errors) == 2
    assert sum("training diverged" in (error or "") for error in errors) == 1
    assert sum(record["status"] == "finished" for record in found.values()) == 1
    assert "training diverged" in finished.stdout
    # Tried again, the same ones fail; the finished one stays as it is.
    assert "1 finished" in train(corpus, *command, expect=1).stderr


def test_the_plan_comes_first_and_trains_nothing(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweeps" / "mine"
    values = ("-m", "model.hidden_size=8,16", place(folder), "trainer.max_epochs=1")
    train(corpus, *values[:2], place(folder), "trainer.max_epochs=1", "seed=1")
    plan = train(corpus, *values, "seed=1,2", "sweep.dry_run=true").stdout
    rows = [line.split() for line in plan.splitlines()]
    assert ["model.hidden_size=8", "seed=1", "finished", "41,730"] in rows
    assert any(row[:3] == ["model.hidden_size=16", "seed=2", "new"] for row in rows)
    assert "4 jobs: 2 new, 2 finished" in plan and "about" in plan
    assert len(records(folder)) == 2
    finished = train(corpus, "-m", "model.lr=1,abc", "sweep.dry_run=true", expect=1)
    assert "model.lr=abc: must be a number" in finished.stdout
    assert "1 of 2 jobs refused; correct what is said of each, above" in finished.stderr
    assert "tries them again" not in finished.stderr


def test_some_of_a_grid_are_drawn_the_same_ones_again(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "config" / "experiment").mkdir(parents=True)
    file = tmp_path / "config" / "experiment" / "grid.yaml"
    params = "{seed: 'range(1,4)', model.embedding_rank: [null, 4], model: [gru, lstm]}"
    file.write_text(f"# @package _global_\nhydra: {{sweeper: {{random: 2, params: {params}}}}}\n")
    sweep = ("-m", f"--config-dir={tmp_path}/config", "experiment=grid", place(tmp_path / "s"))
    plan = train(corpus, *sweep, "trainer.max_epochs=1", "sweep.dry_run=true").stdout
    assert "2 jobs: 2 new" in plan
    assert "2 jobs: 2 new" in train(corpus, *sweep, "trainer.max_epochs=1").stderr
    assert len(records(tmp_path / "s")) == 2
    more = train(corpus, *sweep, "trainer.max_epochs=1", "hydra.sweeper.random=4")
    assert "4 jobs: 2 new, 2 finished" in more.stderr
    refused = train(corpus, *sweep, "search=optuna", "hydra.sweeper.random=2", expect=1)
    assert "put them into search.space" in refused.stderr


def test_a_mistake_in_all_jobs_is_said_once(corpus: Path, tmp_path: Path) -> None:
    finished = train(corpus, "-m", "model.hiden_size=1,2", place(tmp_path / "s"), expect=1)
    assert finished.stderr.count("model.hiden_size: no such key; did you mean") == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_stopped_goes_on(corpus: Path, tmp_path: Path, signum: int) -> None:
    jobs = ("-m", "seed=1,2", "trainer.max_epochs=40", place(tmp_path / "stopped"))
    command = train_command(corpus, *jobs)
    with started(command) as (process, said):
        wait_for("epoch 3/", said)
        process.send_signal(signum)
        rest = said.read()
        assert process.wait() == 128 + signum
    assert "goes on with what is missing" in rest and "Traceback" not in rest
    assert len(records(tmp_path / "stopped")) == 1
    finished = train(corpus, *jobs)
    assert "2 jobs: 1 new, 1 to resume" in finished.stderr
    assert "going on from step" in finished.stderr

    train(corpus, *jobs[:-1], place(tmp_path / "whole"))
    for name, record in records(tmp_path / "whole").items():
        assert records(tmp_path / "stopped")[name]["metrics"] == record["metrics"]
        weights = [
            load_file(tmp_path / sweep / name / "bundle" / "nsmc.safetensors")
            for sweep in ("stopped", "whole")
        ]
        assert all((weights[0][key] == weights[1][key]).all() for key in weights[1])


def test_a_name_is_a_folder_under_sweeps(corpus: Path) -> None:
    folder = PROJECT / "outputs" / "sweeps" / "a-name-for-the-tests"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        train(corpus, "-m", "sweep=a-name-for-the-tests", "seed=1", "trainer.max_epochs=1")
        assert len(records(folder)) == 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    finished = train(corpus, "-m", "sweep=../elsewhere", "seed=1,2", expect=1)
    assert "sweep.name=../elsewhere" in finished.stderr


def test_jobs_of_several_processes(corpus: Path, tmp_path: Path) -> None:
    # Each is a command of its own, which knows the folders that were typed for the sweep.
    (tmp_path / "configs" / "model").mkdir(parents=True)
    (tmp_path / "configs" / "model" / "mine.yaml").write_text("defaults: [lstm]\n")
    (tmp_path / "searched" / "experiment").mkdir(parents=True)
    experiment = "# @package _global_\nmodel: {dropout: 0.25}\n"
    (tmp_path / "searched" / "experiment" / "mine.yaml").write_text(experiment)
    searched = (f"hydra.searchpath=[{tmp_path}/searched]", "experiment=mine")
    folders = (f"--config-dir={tmp_path}/configs", "model=mine", *searched)
    together = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.max_epochs=1", *folders)
    ddp = ("-m", *together, "seed=1,2", "sweep=named")
    train(corpus, *ddp, place(tmp_path))
    found = records(tmp_path)
    models = [record["config"]["model"] for record in found.values()]
    assert [(model["architecture"], model["dropout"]) for model in models] == [("lstm", 0.25)] * 2
    assert [record["steps"] for record in found.values()] == [2, 2]
    assert all(Predictor.load(tmp_path / name / "bundle")(["최고"]) for name in found)
    assert "2 jobs: 2 finished" in train(corpus, *ddp, place(tmp_path)).stderr


@pytest.mark.skipif(find_spec("joblib") is None, reason="needs the extra parallel")
def test_jobs_run_in_parallel_with_the_threads_divided(corpus: Path, tmp_path: Path) -> None:
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    values = ("-m", *launcher, "model.hidden_size=0,8", "seed=1,2", "trainer.max_epochs=1")
    unnamed = f"hydra.sweep.dir='{tmp_path}/${{run_id:}}'"  # which is another in each process
    finished = train(corpus, *values, unnamed, expect=1)
    assert "2 of 4 jobs not finished" in finished.stderr
    (folder,) = tmp_path.iterdir()
    done = [record for record in records(folder).values() if record["status"] == "finished"]
    assert len(done) == 2 and all(record["threads"] >= 1 for record in done)
    assert "Traceback" not in finished.stderr


@pytest.mark.skipif(find_spec("submitit") is None, reason="needs the extra cluster")
def test_jobs_run_on_a_cluster(corpus: Path, tmp_path: Path) -> None:
    launcher = ("hydra/launcher=submitit_local", f"hydra.launcher.submitit_folder={tmp_path}/logs")
    values = ("-m", *launcher, "seed=1,2", "trainer.max_epochs=1")
    train(corpus, *values, place(tmp_path / "sweep"))
    found = records(tmp_path / "sweep")
    assert [record["status"] for record in found.values()] == ["finished", "finished"]


def test_an_unnamed_sweep_can_be_named_to_go_on(corpus: Path) -> None:
    finished = run([sys.executable, "train.py", "--cfg", "hydra", "-p", "hydra.sweep"])
    assert "outputs/sweeps/" in finished.stdout


needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="needs the extra search")
SETTINGS = "n_jobs: 1\nsampler: tpe\npruner: median\nstartup_trials: 2\ntrial: null\n"


def search(folder: Path, trials: int, *space: str) -> tuple[str, ...]:
    """Overrides for a search over a space that is in a file of its own, as a user writes one."""
    (folder / "config" / "search").mkdir(parents=True, exist_ok=True)
    lines = "".join(f"  {line}\n" for line in space)
    (folder / "config" / "search" / "mine.yaml").write_text(
        f"trials: {trials}\n{SETTINGS}space:\n{lines}", encoding="utf-8"
    )
    return (
        "-m",
        f"--config-dir={folder}/config",
        "search=mine",
        place(folder / "sweep"),
        "callbacks.checkpoint.monitor=val/loss",
    )


@needs_optuna
def test_a_search_tries_prunes_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    space = ("model.lr: {low: 0.001, high: 0.1, log: true}", "model: [gru, lstm]")
    finished = train(corpus, *search(tmp_path, 3, *space), "trainer.max_epochs=4")
    assert [line.count("trial 2: ") for line in finished.stderr.splitlines()].count(1) == 1
    train(corpus, *search(tmp_path, 7, *space), "trainer.max_epochs=4")
    found = records(tmp_path / "sweep")
    numbers = {record["config"]["search"]["trial"] for record in found.values()}
    assert numbers <= set(range(7)) and 6 in numbers
    assert {record["status"] for record in found.values()} <= {"finished", "pruned"}
    assert all(0.001 <= record["config"]["model"]["lr"] <= 0.1 for record in found.values())
    importances = json.loads((tmp_path / "sweep" / "importances.json").read_text())
    assert set(importances) <= {"model.lr", "model"}
    assert "importance" in (tmp_path / "sweep" / "report.html").read_text(encoding="utf-8")
    # Enough trials are begun; nothing is left to do.
    again = train(corpus, *search(tmp_path, 7, *space), "trainer.max_epochs=4")
    assert "epoch 1/" not in again.stderr
    other = train(corpus, *search(tmp_path, 9, *space), "trainer.max_epochs=3", expect=1)
    assert "holds a search with other settings" in other.stderr


@needs_optuna
def test_a_search_survives_failures_and_being_killed(corpus: Path, tmp_path: Path) -> None:
    values = search(tmp_path, 8, "model.lr: [0.01, 1.0e+30]")
    settings = ("model.schedule=constant", "trainer.log_every_n_steps=1", "trainer.max_epochs=30")
    command = train_command(corpus, *values, *settings)
    with started(command) as (process, said):
        wait_for("epoch 3/", said)
        process.kill()
    finished = train(corpus, *values, *settings, expect=1)
    assert "going on from step" in finished.stderr
    statuses = [record["status"] for record in records(tmp_path / "sweep").values()]
    assert sorted(statuses) == ["failed", "finished"]  # of one job for each of the two values
    assert "training diverged" in finished.stdout


@needs_optuna
def test_two_processes_share_a_search(corpus: Path, tmp_path: Path) -> None:
    values = search(tmp_path, 6, "model.lr: {low: 0.001, high: 0.1}")
    command = train_command(corpus, *values, "trainer.max_epochs=1")
    with started(command) as first, started(command) as second:
        said = [output.read() for _, output in (first, second)]
        assert [process.wait() for process, _ in (first, second)] == [0, 0], said
    trials = [
        line.split("trial ")[1][0]
        for text in said
        for line in text.splitlines()
        if "trial " in line
    ]
    assert sorted(trials) == list("012345")


@needs_optuna
def test_a_wrong_space_is_said_before_the_first_trial(corpus: Path, tmp_path: Path) -> None:
    for space, message in (
        ("model.lr: {low: 0.1, high: 0.001}", "low up to high"),
        ("model.leer: [1]", "model.leer: no such key; did you mean model.lr?"),
        ("model.hidden_size: [0, 8]", "model.hidden_size=0: must be"),
        ("model: [gru, rnn]", "model=rnn: no such choice"),
    ):
        assert message in train(corpus, *search(tmp_path, 2, space), expect=1).stderr
    assert not (tmp_path / "sweep").exists()
    finished = train(corpus, "search=optuna", f"hydra.run.dir={tmp_path}", expect=1)
    assert "python train.py -m" in finished.stderr


@pytest.mark.skipif(find_spec("joblib") is None, reason="needs the extra parallel")
def test_jobs_in_parallel_stop_with_their_checkpoints(corpus: Path, tmp_path: Path) -> None:
    launcher = (
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
        "callbacks.checkpoint.every_n_minutes=9",
    )
    values = ("-m", *launcher, "seed=1,2,3", "trainer.max_epochs=999", place(tmp_path))
    command = train_command(corpus, *values, "model.schedule=constant")
    with started(command) as (process, said):
        for line in said:
            if "epoch 5/" in line and len(list(tmp_path.glob("*/checkpoints/last.ckpt"))) == 2:
                break
        process.send_signal(signal.SIGTERM)
        rest = said.read()
        assert process.wait() == 143
    assert "goes on with what is missing" in rest and "Traceback" not in rest
    statuses = [record["status"] for record in records(tmp_path).values()]
    assert statuses == ["interrupted", "interrupted"]  # the third one did not begin
    assert rest.count("a checkpoint follows the step") == 2


@pytest.mark.skipif(find_spec("joblib") is None, reason="needs the extra parallel")
def test_jobs_that_joblib_runs_in_one_process_stop(corpus: Path, tmp_path: Path) -> None:
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
    values = ("-m", *launcher, "seed=1,2", "trainer.max_epochs=999", place(tmp_path))
    with started(train_command(corpus, *values, "model.schedule=constant")) as (process, said):
        wait_for("epoch 3/", said)
        process.send_signal(signal.SIGTERM)
        rest = said.read()
        assert process.wait() == 143
    assert "goes on with what is missing" in rest and rest.count("stopping: ") == 1
    assert [record["status"] for record in records(tmp_path).values()] == ["interrupted"]


def test_options_for_sweeps_need_a_sweep(corpus: Path, tmp_path: Path) -> None:
    for option in ("sweep.dry_run=true", "sweep.force=true", "sweep=name", "search=optuna"):
        finished = train(corpus, option, f"hydra.run.dir={tmp_path}", expect=1)
        assert "are for many runs: python train.py -m" in finished.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [("a,b", "sweep.name=a,b: must be"), ("-", "letters, digits"), ("x/y", "letters, digits")],
)
def test_odd_names_of_sweeps_are_refused(corpus: Path, name: str, message: str) -> None:
    assert message in train(corpus, "-m", f"sweep={name}", "seed=1,2", expect=1).stderr


@pytest.mark.parametrize("name", ["2024", "1e3", "한글", "true"])
def test_names_of_sweeps_are_text(corpus: Path, name: str) -> None:
    finished = train(corpus, "-m", f"sweep={name}", "seed=1", "sweep.dry_run=true")
    assert "1 job: 1 new" in finished.stdout


def test_a_job_of_a_named_sweep_goes_on_by_its_folder(corpus: Path, tmp_path: Path) -> None:
    jobs = ("-m", "seed=1", "sweep=named", "trainer.max_epochs=40", place(tmp_path))
    with started(train_command(corpus, *jobs)) as (process, said):
        wait_for("epoch 2/", said)
        process.kill()
    (folder,) = (path.parent for path in tmp_path.glob("*/run.json"))
    finished = run([sys.executable, "train.py", f"resume={folder}"])
    assert "going on from step" in finished.stderr
    assert "1 job: 1 finished" in train(corpus, *jobs).stderr


def test_a_refused_job_that_was_mended_is_forgotten(corpus: Path, tmp_path: Path) -> None:
    missing = tmp_path / "start.ckpt"
    values = ("-m", f"ckpt_path={missing},null", "model.schedule=constant", place(tmp_path / "s"))
    finished = train(corpus, *values, expect=1)
    assert "start.ckpt: no such checkpoint" in finished.stderr
    shorter = ("trainer.max_epochs=1", "model.schedule=constant", f"hydra.run.dir={tmp_path}/a")
    train(corpus, *shorter)
    shutil.copy(tmp_path / "a" / "checkpoints" / "last.ckpt", missing)
    train(corpus, *values)
    assert [record["status"] for record in records(tmp_path / "s").values()] == ["finished"] * 2


@pytest.mark.skipif(find_spec("joblib") is None, reason="needs the extra parallel")
def test_a_worker_that_is_killed_takes_no_job_with_it(corpus: Path, tmp_path: Path) -> None:
    launcher = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    values = ("-m", *launcher, "seed=1,2,3", "trainer.max_epochs=60", place(tmp_path))
    with started(train_command(corpus, *values)) as (process, said):
        wait_for("epoch 3/", said)
        running = [record for record in records(tmp_path).values() if record["status"] == "running"]
        os.kill(running[0]["pid"], signal.SIGKILL)
        rest = said.read()
        assert process.wait() == 0, rest
    assert "a job's process died" in rest
    assert [record["status"] for record in records(tmp_path).values()] == ["finished"] * 3


@pytest.mark.skipif(find_spec("submitit") is None, reason="needs the extra cluster")
def test_a_preempted_job_goes_on(corpus: Path, tmp_path: Path) -> None:
    launcher = ("hydra/launcher=submitit_local", f"hydra.launcher.submitit_folder={tmp_path}/logs")
    values = ("-m", *launcher, "seed=1", "trainer.max_epochs=120", place(tmp_path / "sweep"))
    with started(train_command(corpus, *values)) as (process, _):
        found: dict[str, Any] = {}
        while not found.get("pid") or not list(tmp_path.glob("sweep/*/checkpoints/last.ckpt")):
            found = next(iter(records(tmp_path / "sweep").values()), {})
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(found["pid"], signal.SIGUSR2)  # as a cluster that wants the machine back
        assert process.wait() == 0
    (record,) = records(tmp_path / "sweep").values()
    assert record["status"] == "finished" and record["resumed"] == 1
