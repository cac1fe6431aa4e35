"""What a sweep costs beside its training, and how long a report takes."""

import sys
import tempfile
from pathlib import Path

from tests.benchmarks.common import CACHE, row, timed_process
from tests.reports.factories import write_many

JOBS = 8
ROUNDS = 3
RUNS = 500  # in the report


def main(root: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seconds_of_sweep(root, Path(folder) / "warm-up", 1)
        rounds = [overhead(root, Path(folder) / str(number)) for number in range(ROUNDS)]
        row("one more job of one step in a sweep: seconds", rounds, "{:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        write_many(Path(folder), RUNS)
        command = [sys.executable, "-m", "nsmc.cli", "report", folder]
        rounds = [timed_process(command)[0] for _ in range(ROUNDS)]
        row(f"nsmc report over {RUNS} runs: seconds", rounds, "{:.1f}")


def overhead(root: Path, folder: Path) -> float:
    """Seconds that one more job of one training step adds to a sweep.

    Its two passes over the validation part and its export are among them.
    """
    one, many = (seconds_of_sweep(root, folder / str(jobs), jobs) for jobs in (1, JOBS))
    return (many - one) / (JOBS - 1)


def seconds_of_sweep(root: Path, folder: Path, jobs: int) -> float:
    rates = ",".join(f"{0.001 * (number + 1):.3f}" for number in range(jobs))
    command = [
        *(sys.executable, "train.py", "-m", f"model.lr={rates}", f"data.root={root}"),
        *(f"data.cache_dir={CACHE}", f"hydra.sweep.dir={folder}", "trainer.accelerator=cpu"),
        *("trainer.limit_train_batches=1", "trainer.max_epochs=1", "test=false"),
    ]
    return timed_process(command)[0]
