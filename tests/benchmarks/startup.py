"""What `python train.py` costs around the training: seconds to the first step, and peak memory."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.common import CACHE, PROJECT, row, timed_process

STARTS = 5
STEPS = 200  # of the run whose memory is measured; validation and test come after them


def main(root: Path) -> None:
    arguments = [sys.executable, "train.py", f"data.root={root}", "trainer.accelerator=cpu"]
    with tempfile.TemporaryDirectory() as folder:
        whole = [
            *arguments,
            f"data.cache_dir={folder}/cache",
            f"hydra.run.dir={folder}/run",
            f"trainer.limit_train_batches={STEPS}",
            "trainer.max_epochs=1",
        ]
        _, megabytes = timed_process(whole)
        row("from raw files to a tested bundle: peak MB", [megabytes], "{:,.0f}")
    warm = [*arguments, f"data.cache_dir={CACHE}"]
    seconds = [seconds_to_first_step(warm) for _ in range(STARTS)]
    # The first start may have had to fill the cache.
    row("from the command to the first step, warm cache: seconds", seconds[1:], "{:.1f}")


def seconds_to_first_step(arguments: list[str]) -> float:
    """Start a run that says something after each step, wait for the first word, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        extra = [f"hydra.run.dir={folder}/run", "callbacks.log_interval_seconds=0.000001"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*arguments, *extra],
            stderr=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "of the epoch" in line:
                    return time.perf_counter() - start
            raise RuntimeError(f"{' '.join(arguments)} ended before its first step")
        finally:
            process.kill()
            process.wait()
