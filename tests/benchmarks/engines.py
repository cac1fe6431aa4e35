"""A million reviews through the engines of docs/scale.md, and our share of the work.

In processor seconds, which other programs on a machine change less than the time of day. Needs the
environment of `make clients-test`.
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from nsmc.data.corpus import read_reviews
from nsmc.runtime.locate import PRETRAINED
from tests.benchmarks.common import PROJECT

ENGINES = ("Dask", "Spark")
ROWS, FILES = 1_000_000, 8
PYTHON = PROJECT / ".venv-clients" / "scale" / "bin" / "python"

# A predictor that notes the reviews and the processor seconds of each call.
MEASURED = """
import os, time
from nsmc.runtime import predictor
class Predictor(predictor.Predictor):
    def __call__(self, texts):
        start = time.thread_time()
        answers = super().__call__(texts)
        with open(f"notes/{os.getpid()}", "a") as file:
            print(len(texts), time.thread_time() - start, file=file)
        return answers
"""


def main(root: Path) -> None:
    if not PYTHON.exists():
        print("left out: make clients-test makes the environment that it needs")
        return
    texts = [
        text
        for part in ("train", "test")
        for text in read_reviews(root / f"ratings_{part}.txt").texts
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bundle").symlink_to(PRETRAINED)
        (folder / "measured.py").write_text(MEASURED, encoding="utf-8")
        write_reviews(folder / "reviews", texts)
        for engine in ENGINES:
            measure(engine, folder)


def write_reviews(folder: Path, texts: list[str]) -> None:
    folder.mkdir()
    size = ROWS // FILES
    for number in range(FILES):
        rows = range(number * size, (number + 1) * size)
        table = pa.table({"id": rows, "text": [texts[row % len(texts)] for row in rows]})
        pq.write_table(table, folder / f"{number}.parquet")


def measure(engine: str, folder: Path) -> None:
    page = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
    [program] = re.findall(rf"^## {engine}\n\n```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    subprocess.run(["rm", "-rf", "notes", "answers"], cwd=folder, check=True)
    (folder / "notes").mkdir()
    variables = {
        **{"PYTHONPATH": f"{PROJECT}:{folder}", "PYSPARK_PYTHON": str(PYTHON)},
        **{"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    }
    start = time.perf_counter()
    process = psutil.Popen(
        [str(PYTHON), "-c", program.replace("from nsmc import", "from measured import")],
        cwd=folder,
        env={**os.environ, **variables},
        stderr=subprocess.DEVNULL,
    )
    seconds, megabytes = watch(process)
    elapsed = time.perf_counter() - start
    notes = [line.split() for path in (folder / "notes").iterdir() for line in path.open()]
    rows, ours = sum(int(each) for each, _ in notes), sum(float(each) for _, each in notes)
    print(
        f"{engine}: exit code {process.returncode}, {rows:,} reviews in {elapsed:.0f} s; processor "
        f"{seconds:.0f} s, ours {ours:.0f} s ({ours / seconds:.0%}); {rows / seconds:,.0f} reviews "
        f"a processor second; memory of the processes, MB: {megabytes}",
        flush=True,
    )


def watch(process: psutil.Popen) -> tuple[float, list[int]]:
    """The processor seconds of a program and all that it starts, and the most memory of each."""
    seconds, memory = dict[int, float](), dict[int, int]()
    while process.poll() is None:
        for each in [process, *process.children(recursive=True)]:
            try:
                seconds[each.pid] = sum(each.cpu_times()[:2])
                memory[each.pid] = max(memory.get(each.pid, 0), each.memory_info().rss >> 20)
            except psutil.Error:
                continue
        time.sleep(0.2)
    return sum(seconds.values()), sorted(memory.values())[-4:]
