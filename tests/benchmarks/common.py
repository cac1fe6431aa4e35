"""What the benchmarks share: composing a configuration, rows of results, timing a process."""

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra import compose
from omegaconf import OmegaConf

from nsmc.config.hydra_releases import configurations_in
from nsmc.config.schema import RunConfig, check_config
from nsmc.runs.resolvers import register_resolvers

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / "outputs" / "cache"


def config(root: Path, *overrides: str) -> RunConfig:
    """The configuration that `python train.py data.root=ROOT OVERRIDES` would run."""
    register_resolvers()
    with configurations_in(PROJECT / "configs"):
        composed = compose("train", [f"data.root={root}", f"data.cache_dir={CACHE}", *overrides])
    values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    return check_config({str(key): value for key, value in values.items()})


def row(name: str, values: Sequence[float], form: str, note: str = "") -> None:
    """Print a figure's median, least and largest value."""
    shown = [form.format(value) for value in (statistics.median(values), min(values), max(values))]
    print(f"  {name:<52}{shown[0]:>12}  ({shown[1]} to {shown[2]}) {note}", flush=True)


def timed_process(command: Sequence[str], **environment: str) -> tuple[float, float]:
    """Run a command to its end; seconds of wall clock, and megabytes of peak resident memory."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        "seconds = time.perf_counter() - start; "
        "print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, *command],
        check=True,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **environment},
    )
    seconds, kilobytes = finished.stdout.split()
    return float(seconds), float(kilobytes) / 1024
