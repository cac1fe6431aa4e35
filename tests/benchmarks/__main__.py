"""Measures what the README reports: `python -m tests.benchmarks [NAME ...]`.

Needs the real corpus at NSMC_ROOT. Machines are noisy: everything that is compared is measured in
turn in one run, and medians and ratios are what counts.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import (
    engines,
    explain,
    forms,
    gpu,
    growth,
    nodes,
    overhead,
    profile,
    quality,
    runtime,
    rust,
    scale,
    serving,
    sharing,
    significance,
    small,
    soak,
    startup,
    sweeps,
    training,
)

KILL_TRIALS = 60


def kills(root: Path) -> None:
    """A process of its own: it must have no threads when it forks."""
    trials = [sys.executable, "-m", "tests.crash_recovery", "--trials", str(KILL_TRIALS)]
    subprocess.run(trials, check=True)


BENCHMARKS = {
    "training": training.main,
    "overhead": overhead.main,
    "profile": profile.main,
    "gpu": gpu.main,
    "startup": startup.main,
    "runtime": runtime.main,
    "rust": rust.main,
    "scale": scale.main,
    "engines": engines.main,
    "sweeps": sweeps.main,
    "sharing": sharing.main,
    "kills": kills,
    "nodes": nodes.main,
    "growth": growth.main,
    "explain": explain.main,
    "forms": forms.main,
    "serving": serving.main,
    "soak": soak.main,
    "quality": quality.main,
    "small": small.main,
    "significance": significance.main,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    root = Path(os.environ.get("NSMC_ROOT", ""))
    if not (root / "ratings_train.txt").is_file():
        print(f"NSMC_ROOT={root}: there is no ratings_train.txt in it", file=sys.stderr)
        return 1
    if unknown := set(names) - BENCHMARKS.keys():
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
        return 1
    for name in names:
        print(f"\n{name}", flush=True)
        BENCHMARKS[name](root.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
