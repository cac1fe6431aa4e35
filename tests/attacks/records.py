"""Run folders, searches and checkpoints that somebody has tampered with: what they say is data.

Nothing in them may be executed, no file outside be written or deleted, and whoever reads them ends
in one line, or goes on without them.
"""

import contextlib
import copy
import json
import logging
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from nsmc.config.errors import describe
from nsmc.config.schema import RunConfig, check_config
from nsmc.reports.records import read_runs
from nsmc.runs import rerun
from nsmc.runs.corpus_files import corpus_fingerprint
from nsmc.runs.job import run_job
from nsmc.runs.record import read_record, state_of
from nsmc.runs.resume import named_folder, resumed_config
from nsmc.runs.signature import signature
from nsmc.sweeps.dry_run import seconds_by_shape
from nsmc.sweeps.plan import record_refused, runs_by_signature
from nsmc.sweeps.study import Study
from tests.attacks.common import NSMC, TRAIN, Tally, ended

SMALL = (
    *("data=sample", "data.vocab_size=300", "data.batch_size=16", "model.hidden_size=8"),
    *("model.embedding_dim=6", "trainer.max_epochs=2", "trainer.limit_train_batches=2"),
    *("trainer.accelerator=cpu", "trainer.threads=1", "logger=none", "test=false"),
    *("callbacks.early_stopping.patience=3", "model.schedule=one_cycle"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 10**400, 1e308, float("nan"), float("-inf"), "", "x" * 100_000),
    *("../../victim.ckpt", "${oc.env:HOME}", "\ud800", "\x1b[2J", [], {}, [[]], {"a": {"b": 1}}),
    *(["x"], {"_target_": "os.system"}),
)
EVIL = "{_target_: setuptools._distutils.spawn.spawn, cmd: [touch, %s]}"


def attack(tally: Tally, scratch: Path) -> None:
    """Some 400 cases, a few dozen of them real commands."""
    logging.disable(logging.WARNING)
    run = scratch / "run"
    made = ended([*TRAIN, *SMALL, f"hydra.run.dir={run}"], scratch)
    assert made.code == 0, made.stderr
    with contextlib.chdir(scratch):
        _records(tally, scratch, run)
        _commands(tally, scratch, run)
        _studies(tally, scratch, run)
        _checkpoints(tally, scratch, run)
    logging.disable(logging.NOTSET)


def changed(value: Any, chance: random.Random) -> Any:
    """A copy with one place dropped, put elsewhere, or made something else."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    container, key = chance.choice(places)
    action = chance.randrange(4)
    if action == 0:
        del container[key]
    elif action == 1:
        container[key] = {"nested": [container[key]]}
    else:
        container[key] = copy.deepcopy(chance.choice(VALUES))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _holds(tally: Tally, title: str, action: Callable[[], Any], victim: Path) -> None:
    """Count a case: it may end in one line, and nothing outside is touched."""
    seen = ""
    try:
        action()
    except Exception as error:
        line = describe(error)
        if "HYDRA_FULL_ERROR" in line or len(line) > 2000:
            seen = f"{type(error).__name__}: {line}"
    is_whole = victim.read_text(encoding="utf-8") == "precious"
    tally.case(title, not seen and is_whole, seen or f"{victim} was touched")


def _victim(scratch: Path) -> Path:
    victim = scratch / "victim.ckpt"
    victim.write_text("precious", encoding="utf-8")
    return victim


def _records(tally: Tally, scratch: Path, run: Path) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    sweep = scratch / "outputs" / "sweeps" / "name"
    folder = sweep / "job"
    shutil.copytree(run, folder)
    victim, chance = _victim(scratch), random.Random(1)
    typed = {**record["config"], "resume": str(folder)}
    contents = [json.dumps(changed(record, chance)) for _ in range(200)]
    contents += ["[" * 100_000, "", "[]", '{"config":' * 500, json.dumps(record)[:-9], "7" * 9999]
    contents += [json.dumps({**record, "refused": True}), json.dumps({**record, "signature": []})]
    with mock.patch.object(rerun, "run_job", lambda *_: record):
        for number, content in enumerate(contents):
            (folder / "run.json").write_text(content, encoding="utf-8", errors="replace")
            actions: dict[str, Callable[[], Any]] = {
                "state": lambda: state_of(folder),
                "plan": lambda: runs_by_signature(sweep),
                "estimate": lambda: seconds_by_shape(scratch / "outputs"),
                "report": lambda: read_runs([sweep]),
                "resume": lambda: named_folder(str(folder)),
                "resumed": lambda: resumed_config(folder, typed, []),
                "rerun": lambda: rerun.rerun(folder, runs=scratch / "again"),
                "refused": lambda: record_refused([], sweep),
            }
            _holds(tally, f"record {number}", lambda: _all(actions), victim)  # noqa: B023
    bundle = folder / "bundle" / "nsmc.safetensors"
    tally.case("a sweep's folder that says it was refused is left", bundle.is_file())


def _all(actions: dict[str, Callable[[], Any]]) -> None:
    """Try all; raises what is worst."""
    worst: Exception | None = None
    for action in actions.values():
        try:
            with contextlib.redirect_stdout(None):
                action()
        except Exception as error:
            if worst is None or "HYDRA_FULL_ERROR" in describe(error):
                worst = error
    if worst is not None:
        raise worst


def _commands(tally: Tally, scratch: Path, run: Path) -> None:
    owned = scratch / "owned"
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))

    def unfinished(step: dict[str, Any], override: str = "seed=7") -> dict[str, Any]:
        config = {**record["config"], "recipe": {"steps": {"a": step}}}
        return {**record, "status": "interrupted", "config": config, "overrides": [override]}

    foreign = scratch / "foreign"
    (foreign / ".hydra").mkdir(parents=True)
    for override in (
        f"+hydra.callbacks.x={EVIL % owned}",
        f"++hydra.job_logging.handlers.x={EVIL % owned}",
        f"hydra.callbacks.x={EVIL % owned}",
        "hydra.searchpath=[file:///tmp]",
        "experiment=../../../../tmp/evil",
        "experiment@hydra=best",
        "seed=${oc.env:HOME}",
        "data.root=$\\{oc.env:HOME\\}",
        f"data={EVIL % owned}",
        "~data",
        "=",
        "(" * 3000,
    ):
        content = unfinished({"init_from": "./nowhere"}, override)
        _resumes_nothing(tally, foreign, content, f"recipe {override[:40]}", owned)
    target = {"_target_": "setuptools._distutils.spawn.spawn", "cmd": ["touch", str(owned)]}
    for step in (
        {"+hydra": {"callbacks": {"x": target}}},
        {"hydra": {"callbacks": {"x": target}}},
        {"hydra.searchpath": ["file:///tmp"]},
        {"defaults": {"hydra/launcher": "joblib"}},
        {"defaults": {"data": "../../../../tmp/evil"}},
        {"defaults": {"data": target}},
        {"data": {"root": "${oc.env:HOME}"}},
        {"data": {"cache_dir": str(scratch / "elsewhere")}},
        {f"data.name=x +hydra.callbacks.x={EVIL % owned}": "y"},
    ):
        _resumes_nothing(tally, foreign, unfinished(step), f"step {step}"[:60], owned)
    shutil.copytree(run / "bundle", foreign / "bundle")
    _fetching(tally, scratch, record, foreign)
    _pipes(tally, scratch, foreign)


def _resumes_nothing(
    tally: Tally, foreign: Path, content: dict[str, Any], name: str, owned: Path
) -> None:
    (foreign / "run.json").write_text(json.dumps(content), encoding="utf-8")
    result = ended([*TRAIN, f"resume={foreign}"], foreign.parent)
    tally.case(name, result.is_one_line and not owned.exists(), result.stderr)


def _fetching(tally: Tally, scratch: Path, record: dict[str, Any], foreign: Path) -> None:
    """A record that is whole but for the files that it wants to be fetched."""
    elsewhere, requests = scratch / "elsewhere", []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = {"url": f"http://127.0.0.1:{server.server_port}/", "sha256": "0" * 64}
        data: dict[str, Any] = {"root": str(elsewhere), "train_file": "x", "test_file": "x"}
        data |= {"cache_dir": str(elsewhere / "cache"), "remote_files": {"x": url}}
        settings = record["config"]
        config = check_config({**settings, "data": {**settings["data"], **data}})
        fingerprint = corpus_fingerprint(config.data, config.test)
        content = {**record, "config": config.model_dump(), "corpus_fingerprint": fingerprint}
        content["signature"] = signature(config, fingerprint)
        for status, command in (
            ("interrupted", [*TRAIN, f"resume={foreign}"]),
            ("finished", [*NSMC, "rerun", str(foreign)]),
        ):
            text = json.dumps({**content, "status": status})
            (foreign / "run.json").write_text(text, encoding="utf-8")
            found = ended(command, scratch)
            is_well = found.is_one_line and not elsewhere.exists() and not requests
            tally.case(f"fetch: {command[-2]}", is_well, found.stderr)
        (foreign / ".hydra" / "zero.yaml").symlink_to("/dev/zero")
        found = ended([*TRAIN, f"resume={foreign}"], scratch)
        tally.case("a link to a device", found.is_one_line, found.stderr)
        server.shutdown()
    shutil.rmtree(elsewhere, ignore_errors=True)


def _pipes(tally: Tally, scratch: Path, foreign: Path) -> None:
    place = scratch / "outputs" / "runs" / "pipe"
    shutil.copytree(foreign / "bundle", place / "bundle")
    commands = {
        "predict": [*NSMC, "predict", "좋다"],
        "report": [*NSMC, "report", "outputs", "--output", str(scratch / "report")],
        "auto": [*TRAIN, *SMALL, "resume=auto", "trainer.max_epochs=1"],
        "rerun": [*NSMC, "rerun", str(place)],
        "resume": [*TRAIN, f"resume={place}"],
        "plan": [*TRAIN, "-m", *SMALL, "sweep=name", "seed=1,2", "sweep.dry_run=true"],
    }
    pipe = place / "run.json"
    for kind in ("pipe", "device"):
        pipe.unlink(missing_ok=True)
        if kind == "pipe":
            os.mkfifo(pipe)
        else:
            pipe.symlink_to("/dev/zero")
        for name, command in commands.items():
            found = ended(command, scratch)
            is_well = found.is_one_line or found.code == 0
            tally.case(f"{kind}: {name}", is_well and found.megabytes < 2000, found.stderr)


def _studies(tally: Tally, scratch: Path, run: Path) -> None:
    owned, victim = scratch / "owned", _victim(scratch)
    config = json.loads((run / "run.json").read_text(encoding="utf-8"))["config"]
    space = {"model.lr": {"low": 0.001, "high": 0.01}, "model.hidden_size": [4, 8]}
    search = {"trials": 3, "n_jobs": 1, "sampler": "tpe", "pruner": "median", "trial": None}
    config["search"] = {**search, "startup_trials": 1, "space": space}
    checked = check_config(config)
    assert checked.search is not None
    folder = scratch / "study"
    study = Study(folder, checked.search, "val/accuracy", "base")
    for _ in range(3):
        study.claim(study.begin(1), "job")
    study.finish(0, {"status": "finished", "metrics": {"val/accuracy": 0.5}}, {})
    study.close()
    whole = (folder / "search.db").read_bytes()
    statements = (
        "UPDATE trial_params SET param_name='+hydra.job_logging.x' WHERE param_name='model.lr'",
        "UPDATE trial_params SET param_value=1e9",
        "UPDATE trial_params SET distribution_json='{}'",
        "UPDATE trial_params SET distribution_json='['",
        "UPDATE trial_user_attributes SET value_json='\"../victim.ckpt\"'",
        "UPDATE trial_user_attributes SET value_json='[[1]]'",
        "UPDATE trials SET number=number+7",
        "UPDATE trial_values SET value='x'",
        "DELETE FROM trial_params",
        "DROP TABLE trial_params",
        "DROP TABLE version_info",
        "UPDATE version_info SET schema_version=99",
        "UPDATE alembic_version SET version_num='x'",
        "UPDATE studies SET study_name='other'",
        "CREATE VIEW evil AS SELECT 1",
        "ALTER TABLE trials ADD COLUMN evil TEXT AS (zeroblob(1000000000))",
        "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM trials; END",
    )

    def go_on() -> None:
        again = Study(folder, checked.search, "val/accuracy", "base")  # type: ignore[arg-type]
        try:
            for trial in again.left_behind():
                assert trial.params.keys() == space.keys()
            again.begin(1)
            again.importances()
        finally:
            again.close()

    for statement in statements:
        (folder / "search.db").write_bytes(whole)
        with contextlib.closing(sqlite3.connect(folder / "search.db")) as database:
            assert database.execute(statement).rowcount, statement
            database.commit()
        _holds(tally, statement[:60], go_on, victim)
    chance = random.Random(2)
    for number in range(30):
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 200)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        (folder / "search.db").write_bytes(content[: chance.randrange(len(content))])
        _holds(tally, f"study {number}", go_on, victim)
    tally.case("no study executes anything", not owned.exists())


def _checkpoints(tally: Tally, scratch: Path, run: Path) -> None:
    victim, chance = _victim(scratch), random.Random(3)
    content = torch.load(next(run.glob("checkpoints/epoch-*.ckpt")), weights_only=True)
    record = read_record(run) or {}
    config = check_config(record["config"])
    best = next(key for key in content["callbacks"] if key.startswith("BestCheckpoint"))
    folder = scratch / "resumed"
    paths = (str(victim), f"{folder}/checkpoints/../../victim.ckpt", "..", "last.ckpt", 7)
    names = ("best_model_path", "kth_best_model_path", "last_model_path", "dirpath")
    for name in names:
        for path in paths:
            tampered = copy.deepcopy(content)
            tampered["callbacks"][best][name] = path
            _resume(tally, f"{name}={path}", config, record, tampered, folder, victim)
    for number in range(80):
        tampered = changed(content, chance)
        _resume(tally, f"checkpoint {number}", config, record, tampered, folder, victim)


def _resume(
    tally: Tally,
    title: str,
    config: RunConfig,
    record: dict[str, Any],
    content: Any,
    folder: Path,
    victim: Path,
) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    torch.save(content, folder / "checkpoints" / "epoch-00.ckpt")
    _holds(tally, title, lambda: run_job(config, folder, "command"), victim)
