"""`python -m nsmc.runtime.timing BUNDLE`: how long one review takes, alone and on one thread.

In a process of its own, because how many threads numpy's matrix library has is settled when it is
imported, and because a process that trains has others at work.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_ROUNDS = 5
_WARM_UP = 50  # reviews, which also fill the table of tokens
_ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "TOKENIZERS_PARALLELISM": "false",
}


def microseconds(bundle: Path, texts: Sequence[str]) -> float:
    """The median over the reviews, in µs. Raises ValueError where the bundle cannot be used."""
    command = [sys.executable, "-m", __name__, str(bundle)]
    measured = subprocess.run(
        command,
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        env={**os.environ, **_ONE_THREAD},
        check=False,
    )
    if measured.returncode != 0:
        last = (measured.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"{bundle}: the time of a review was not measured: {last}")
    return float(measured.stdout)


def _measure(bundle: Path, texts: Sequence[str]) -> float:
    from nsmc.runtime.predictor import Predictor  # only once the environment is set

    predictor = Predictor.load(bundle)
    for text in texts[:_WARM_UP]:
        predictor([text])
    seconds = []
    for _ in range(_ROUNDS):
        for text in texts:
            began = time.perf_counter()
            predictor([text])
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e6


if __name__ == "__main__":
    print(_measure(Path(sys.argv[1]), json.load(sys.stdin)))
