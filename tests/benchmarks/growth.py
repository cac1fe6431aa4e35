"""How training grows: reviews per second and memory, by the corpus's size and by the hidden size.

Each row is a process of its own that trains for some steps of an epoch; the figures are those of
its record, and the peak of its resident memory, reading and tokenizing included.
"""

import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.common import CACHE, timed_process
from tests.benchmarks.scale import COPIES, write_copies

HIDDEN_SIZES = (64, 128, 256, 512, 1024)
STEPS = 60


def main(root: Path) -> None:
    print(f"  {'training reviews':<20}{'hidden size':>12}{'reviews/s':>12}{'peak MB':>10}")
    for copies in COPIES:
        with tempfile.TemporaryDirectory() as folder:
            reviews = write_copies(root, Path(folder), copies)
            _measure(Path(folder), Path(folder, "cache"), reviews, 128)
    for hidden_size in HIDDEN_SIZES:
        _measure(root, CACHE, 149_995, hidden_size)


def _measure(root: Path, cache: Path, reviews: int, hidden_size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "train.py", f"data.root={root}", f"data.cache_dir={cache}"),
            *(f"model.hidden_size={hidden_size}", f"hydra.run.dir={folder}/run", "test=false"),
            *("trainer.max_epochs=1", f"trainer.limit_train_batches={STEPS}"),
            *("trainer.accelerator=cpu", "data.split_seed=42"),
        ]
        _, megabytes = timed_process(command)
        record = json.loads(Path(folder, "run", "run.json").read_text())
    rate = record["reviews_per_second"]
    print(f"  {reviews:<20,}{hidden_size:>12,}{rate:>12,.0f}{megabytes:>10,.0f}", flush=True)
