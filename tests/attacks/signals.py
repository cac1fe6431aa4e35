"""Ctrl-C, SIGTERM and SIGKILL at random moments of sweeps, under every launcher.

Each interrupted sweep must end soon, with the code that a shell expects, leave no process behind,
and go on where it was. In the last part, records name processes that have nothing to do with it.
"""

import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.attacks.common import PATIENCE, PROJECT, TRAIN, Tally
from tests.commands import write_corpus

_SECONDS = 150  # for the interruptions; a busy machine has time for fewer
_INTERRUPTIONS = 50
_JOBS = ("seed=1,2,3", "trainer.max_epochs=60")
_JOBLIB = "hydra/launcher=joblib"
_LAUNCHERS: dict[str, tuple[str, ...]] = {
    "one by one": _JOBS,
    "joblib, n_jobs=1": (*_JOBS, _JOBLIB, "hydra.launcher.n_jobs=1"),
    "joblib, n_jobs=2": (*_JOBS, _JOBLIB, "hydra.launcher.n_jobs=2"),
    "joblib, n_jobs=-1": (*_JOBS, _JOBLIB, "hydra.launcher.n_jobs=-1"),
    "submitit": (*_JOBS, "hydra/launcher=submitit_local"),
    "ddp": (*_JOBS, "trainer=ddp", "trainer.devices=2"),
    "ddp, joblib": (*_JOBS, "trainer=ddp", "trainer.devices=2", _JOBLIB, "hydra.launcher.n_jobs=2"),
    "search, joblib": (_JOBS[1], "search=mine", _JOBLIB, "hydra.launcher.n_jobs=2"),
}
_SEARCH = """trials: 3
n_jobs: 2
sampler: random
pruner: none
startup_trials: 2
trial: null
space:
  model.lr: {low: 0.01, high: 0.02}
"""


class Sweep:
    """A sweep in a folder of its own, whose command can be started again and again."""

    def __init__(self, scratch: Path, name: str, settings: tuple[str, ...]) -> None:
        self.folder = scratch / name.replace(", ", "-").replace(" ", "-").replace("=", "")
        self._said = self.folder.with_suffix(".txt")
        self._command = [
            *(*TRAIN, "-m", f"--config-dir={scratch}/configs", *settings),
            *(f"hydra.sweep.dir={self.folder}", f"data.root={scratch}"),
            *(f"data.cache_dir={scratch}/cache", "data.vocab_size=300", "data.batch_size=8"),
            *("trainer.accelerator=cpu", "data.validation_fraction=0.25", "logger=none"),
            *("model.hidden_size=8", "callbacks.checkpoint.every_n_minutes=9", "trainer.threads=1"),
        ]

    def start(self) -> "subprocess.Popen[bytes]":
        """The command, as a session and a foreground group of its own."""
        with self._said.open("ab") as said:
            return subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def wait_until_it_trains(self, process: "subprocess.Popen[bytes]") -> None:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            if any(record["status"] == "running" for record in self.records().values()):
                return
            time.sleep(0.1)

    def records(self) -> dict[Path, Any]:
        found = {}
        for path in self.folder.glob("*/run.json"):
            with contextlib.suppress(OSError, ValueError):
                found[path] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def goes_on(self) -> bool:
        """Whether the same command finishes all jobs."""
        process = self.start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3 * PATIENCE)
        _kill(process)
        records = self.records().values()
        return process.returncode == 0 and [r["status"] for r in records] == ["finished"] * 3

    def said(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")


def attack(tally: Tally, scratch: Path) -> None:
    write_corpus(scratch)
    (scratch / "configs" / "search").mkdir(parents=True)
    (scratch / "configs" / "search" / "mine.yaml").write_text(_SEARCH, encoding="utf-8")
    launchers = {name: settings for name, settings in _LAUNCHERS.items() if _can_run(settings)}
    sweeps = [Sweep(scratch, name, settings) for name, settings in launchers.items()]
    _interruptions(tally, sweeps, random.Random(0))
    parallel = _LAUNCHERS["joblib, n_jobs=2"]
    if _can_run(parallel):
        _killed_while_stopping(tally, Sweep(scratch, "killed", parallel))
        _records_of_others(tally, Sweep(scratch, "others", parallel))


def _can_run(settings: tuple[str, ...]) -> bool:
    needs = {
        _JOBLIB: "joblib",
        "hydra/launcher=submitit_local": "submitit",
        "search=mine": "optuna",
    }
    return all(find_spec(needs[each]) for each in settings if each in needs)


def _interruptions(tally: Tally, sweeps: list[Sweep], chance: random.Random) -> None:
    seconds: list[float] = []
    end = time.monotonic() + _SECONDS
    while len(seconds) < _INTERRUPTIONS and time.monotonic() < end:
        sweep = sweeps[len(seconds) % len(sweeps)]
        signum, tell = _ways(chance)
        process = sweep.start()
        if chance.random() < 0.3:
            time.sleep(chance.uniform(0.5, 8))
        else:
            sweep.wait_until_it_trains(process)
            time.sleep(chance.uniform(0, 1))
        said = len(sweep.said())
        start = time.monotonic()
        tell(process)
        code = _ended(process)
        seconds.append(time.monotonic() - start)
        # Without a handler yet, as in the interpreter's own start, the signal itself ends it.
        is_well = code in (128 + signum, -signum, 0) and "Traceback" not in sweep.said()[said:]
        title = f"{sweep.folder.name}, signal {signum}, {len(seconds)}"
        tally.case(title, is_well, f"code {code}: {sweep.said()[said:]}")
    tally.figure(
        f"{len(seconds)} interruptions, seconds until the last process had ended: median "
        f"{statistics.median(seconds):.1f}, longest {max(seconds):.1f}"
    )
    for sweep in sweeps[: len(seconds)]:
        tally.case(f"{sweep.folder.name} goes on", sweep.goes_on(), sweep.said())


def _ways(chance: random.Random) -> tuple[int, Callable[["subprocess.Popen[bytes]"], None]]:
    """A signal and how it comes: Ctrl-C to the whole group as from a terminal, SIGTERM to one."""
    if chance.random() < 0.5:
        return signal.SIGINT, lambda process: os.killpg(process.pid, signal.SIGINT)
    return signal.SIGTERM, lambda process: process.send_signal(signal.SIGTERM)


def _killed_while_stopping(tally: Tally, sweep: Sweep) -> None:
    process = sweep.start()
    sweep.wait_until_it_trains(process)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.kill()
    tally.case("killed while stopping", _ended(process) is not None, "processes stay behind")
    tally.case("killed while stopping goes on", sweep.goes_on(), sweep.said())


def _records_of_others(tally: Tally, sweep: Sweep) -> None:
    """Records that wait for their jobs, and name processes that are none of the sweep's."""
    sweep.goes_on()
    with subprocess.Popen(["sleep", "600"]) as innocent:
        odd = [innocent.pid, -1, 0, 1, -innocent.pid, str(innocent.pid), 2**70, None, [], True]
        for number in range(0, len(odd), 3):
            pids = odd[number : number + 3]
            for (path, record), pid in zip(sweep.records().items(), pids, strict=False):
                running = {**record, "status": "running", "pid": pid, "host": socket.gethostname()}
                path.write_text(json.dumps(running), encoding="utf-8")
            process = sweep.start()
            time.sleep(4)
            process.send_signal(signal.SIGTERM)
            code = _ended(process)
            tally.case(f"records name {pids}", code in (143, -15, 0), f"code {code}")
            tally.case(f"records name {pids}, and they live", innocent.poll() is None)
        innocent.kill()


def _ended(process: "subprocess.Popen[bytes]") -> int | None:
    """The exit code, once no process of the session is left; None where one hangs."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None and not _session(process.pid):
            return process.returncode
        time.sleep(0.05)
    _kill(process)
    return None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    for pid in _session(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _session(number: int) -> list[int]:
    """The living processes of a session."""
    pids = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            after_name = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if after_name[0] != "Z" and int(after_name[3]) == number:
                pids.append(int(entry.name))
    return pids
