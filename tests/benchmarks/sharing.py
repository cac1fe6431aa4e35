"""A search of 12 trials that two processes share through PostgreSQL; one is killed three times.

    python -m tests.benchmarks.sharing

Each has a folder of its own, as machines have. It needs a PostgreSQL server's programs, and no
corpus.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.benchmarks.common import PROJECT
from tests.postgres import Server, make_stale, server, states

TRIALS, KILLS = 12, 3
_STUDY = "shared"
_SPACE = "search.space={model.lr:{low:0.001,high:0.01,log:true}}"


def main(_: Path) -> None:
    with server() as postgres, tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        other = _started(postgres, Path(folder) / "b")
        killed = [_kill_in_a_trial(postgres, Path(folder) / "a") for _ in range(KILLS)]
        code = other.wait()
        last = _started(postgres, Path(folder) / "a").wait()  # takes up what is left, if anything
        seconds = time.perf_counter() - began
        found = Counter(states(postgres, _STUDY))
        done = Counter(_finished(Path(folder)))
    print(
        f"  killed in trials {', '.join(map(str, killed))}; exit codes of the others {code}, {last}"
    )
    print(f"  trials by state in the database: {dict(found)}")
    twice = [number for number, runs in done.items() if runs > 1]
    print(f"  trials with a finished run: {len(done)} of {TRIALS}; with two: {twice or 'none'}")
    print(f"  seconds: {seconds:.0f}", flush=True)


def _started(postgres: Server, folder: Path) -> subprocess.Popen[str]:
    settings = ["trainer.accelerator=cpu", "trainer.max_epochs=3", "data.vocab_size=1000"]
    search = ["search=optuna", f"search.trials={TRIALS}", "search.pruner=none", _SPACE]
    storage = ["search.storage=env:SEARCH_URL", f"hydra.sweep.dir={folder}/{_STUDY}"]
    command = [sys.executable, "train.py", "-m", "data=sample", *settings, *search, *storage]
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=postgres.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if folder.name == "a" else subprocess.DEVNULL,
        text=True,
    )


def _kill_in_a_trial(postgres: Server, folder: Path) -> int | None:
    """Start a process and kill it in the second epoch of a trial; which one, if it got that far."""
    process, number = _started(postgres, folder), None
    assert process.stderr is not None
    for line in process.stderr:
        if begun := re.search(r"trial (\d+): ", line):
            number = int(begun[1])
        if number is not None and "epoch 2/" in line:
            break
    process.kill()
    process.wait()
    process.stderr.close()
    if number is not None:
        make_stale(postgres, _STUDY, number)
    return number


def _finished(folder: Path) -> list[int]:
    """The trials of the finished runs in both folders, each as often as there are such runs."""
    records = [json.loads(path.read_text()) for path in folder.glob("[ab]/*/*/run.json")]
    return [
        record["config"]["search"]["trial"] for record in records if record["status"] == "finished"
    ]


if __name__ == "__main__":
    main(Path())
