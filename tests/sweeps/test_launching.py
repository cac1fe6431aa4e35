"""Jobs are launched into the sweep's folder, whichever Hydra hands the configuration over."""

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from omegaconf import DictConfig, OmegaConf

from nsmc.runs.record import write_record
from nsmc.sweeps import launching
from nsmc.sweeps.plan import Job
from tests.commands import PROJECT, run_anew


@pytest.mark.parametrize("is_read_only", [False, True])  # Hydra 1.3 and 1.4
def test_a_configuration_that_is_read_only_is_launched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_read_only: bool
) -> None:
    job = Job(("seed=1",), tmp_path / "sweep" / "job", "signature", "new", None)
    master = OmegaConf.create({"hydra": {"sweep": {"dir": "${unknown:}"}, "launcher": {}}})
    OmegaConf.set_readonly(cast(DictConfig, master.hydra), is_read_only)
    OmegaConf.set_struct(master, True)
    seen = []

    class Launcher:
        def __init__(self, config: DictConfig, **_: object) -> None:
            seen.append(config.hydra.sweep.dir)

        def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> None:
            assert overrides[0][0] == "seed=1"
            job.folder.mkdir(parents=True)
            write_record(job.folder, {"status": "finished"})

    plugins = SimpleNamespace(instance=lambda: SimpleNamespace(instantiate_launcher=Launcher))
    monkeypatch.setattr(launching, "Plugins", plugins)
    nothing: Any = None
    launching.launch([job], master, nothing, nothing, lock=None)
    assert seen == [str(tmp_path / "sweep")]
    assert OmegaConf.is_readonly(master.hydra) == is_read_only


@pytest.mark.parametrize(
    ("launcher", "in_others"),
    [
        ({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, False),
        ({"_target_": "hydra_plugins.hydra_joblib_launcher.JoblibLauncher", "n_jobs": 1}, False),
        ({"_target_": "hydra_plugins.hydra_joblib_launcher.JoblibLauncher", "n_jobs": 2}, True),
        ({"_target_": "hydra_plugins.hydra_submitit_launcher.LocalLauncher"}, True),
        ({"_target_": "hydra_plugins.hydra_submitit_launcher.SlurmLauncher"}, False),
        ({}, False),
    ],
)
def test_which_launchers_start_processes_that_end_with_the_sweep(
    launcher: dict[str, Any], in_others: bool
) -> None:
    if launcher.get("n_jobs"):
        pytest.importorskip("joblib")
    assert launching.starts_processes(OmegaConf.create(launcher)) == in_others


def test_joblib_on_one_core_runs_its_jobs_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("joblib")
    monkeypatch.setattr("joblib.effective_n_jobs", lambda wanted: {-1: 1}[wanted])
    launcher = {"_target_": "hydra_plugins.hydra_joblib_launcher.JoblibLauncher", "n_jobs": -1}
    assert not launching.starts_processes(OmegaConf.create(launcher))


STOPPED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace
from omegaconf import OmegaConf
from nsmc.sweeps import launching
from nsmc.sweeps.plan import Job
from nsmc.sweeps.stopping import lock_for_jobs
from nsmc.training.signals import raise_on_signals
class Launcher:
    def launch(self, overrides, initial_job_idx):
        os.kill(os.getpid(), signal.SIGTERM)
plugins = SimpleNamespace(instantiate_launcher=lambda **_: Launcher())
launching.Plugins = SimpleNamespace(instance=lambda: plugins)
raise_on_signals()
folders = [Path(name) for name in sys.argv[1:]]
jobs = [Job((), folder, "signature", "interrupted", None) for folder in folders]
master = OmegaConf.create({"hydra": {"sweep": {"dir": ""}, "launcher": {}}})
try:
    with lock_for_jobs(folders[0].parent) as lock:
        launching.launch(jobs, master, None, None, lock)
except BaseException as error:
    print(repr(error))
"""


def test_a_process_that_a_record_names_is_not_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as innocent:
        folders = []
        for number, pid in enumerate([innocent.pid, -innocent.pid, str(innocent.pid), None, 2**70]):
            folders.append(tmp_path / str(number))
            folders[-1].mkdir()
            record = {"status": "running", "host": socket.gethostname(), "pid": pid}
            write_record(folders[-1], record)
        script = [sys.executable, "-c", STOPPED, *map(str, folders)]
        finished = run_anew(script, PYTHONPATH=str(PROJECT))
        assert finished.stdout == "Interrupted(15, '')\n", finished.stderr
        assert innocent.poll() is None
        innocent.kill()
