"""The programs in docs/scale.md, run as they stand there: 20,000 rows with nulls and hostile texts.

`make clients-test` makes the environment that they run in.
"""

import os
import re
import shutil
import subprocess
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nsmc.conversion.convert import sample_texts
from nsmc.runtime.golden import PROBES
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.given import folder_given
from tests.hostile import HOSTILE

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PAGE = (PROJECT / "docs" / "scale.md").read_text(encoding="utf-8")
PYTHON = folder_given("NSMC_CLIENTS") / "scale" / "bin" / "python"

ROWS = 20_000

# So short a job would spend its time on Java's second compiler.
SPARK = "--conf spark.ui.enabled=false --driver-java-options -XX:TieredStopAtLevel=1 pyspark-shell"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="NSMC_CLIENTS names no environment")


def program(engine: str) -> str:
    """The page's program in the section of an engine."""
    [section] = re.findall(rf"^## {engine}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    [block] = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def texts() -> list[str | None]:
    """Every seventh is null, empty or hard; a stretch has nothing but nulls."""
    hard = [None, "", " ", "\x00", *(text for text in (*PROBES, *HOSTILE) if _is_unicode(text))]
    hard_ones = cycle(hard)
    reviews = islice(cycle(sample_texts()), ROWS)
    mixed = [next(hard_ones) if row % 7 == 0 else text for row, text in enumerate(reviews)]
    mixed[5_000:5_500] = [None] * 500
    return mixed


def _is_unicode(text: str) -> bool:
    """Whether a Parquet file can hold it: half a character cannot be written as UTF-8."""
    return text == text.encode("utf-8", "replace").decode("utf-8")


@pytest.fixture
def folder(texts: list[str | None], tmp_path: Path) -> Path:
    """A working directory with a bundle and the reviews in files, one of nulls alone."""
    shutil.copytree(PRETRAINED, tmp_path / "bundle")
    (tmp_path / "reviews").mkdir()
    for start, end in ((0, 5_000), (5_000, 5_500), (5_500, ROWS)):
        columns = {"id": range(start, end), "text": pa.array(texts[start:end], pa.string())}
        pq.write_table(pa.table(columns), tmp_path / "reviews" / f"{start:05}.parquet")
    return tmp_path


@pytest.mark.parametrize("engine", ["Spark", "Dask", "DuckDB", "polars"])
def test_an_engine_answers_as_the_predictor_does_and_leaves_nulls_null(
    engine: str, folder: Path, texts: list[str | None]
) -> None:
    if engine == "Spark" and shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    variables = {
        **{"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"},
        **{"PYSPARK_PYTHON": str(PYTHON), "PYSPARK_SUBMIT_ARGS": SPARK},
    }
    done = subprocess.run(
        [str(PYTHON), "-c", program(engine)],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    (written,) = folder.glob("answers*")
    rows = sorted(map(_flat, pq.read_table(written).to_pylist()), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == list(range(ROWS))
    assert [row["text"] for row in rows] == texts
    answers = iter(Predictor.load()([text for text in texts if text is not None]))
    expected = [(None, None) if text is None else tuple(next(answers)) for text in texts]
    assert [(row["label"], row["probability"]) for row in rows] == expected


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    answer = row.pop("answer", None) or {}
    return {"label": None, "probability": None, **row, **answer}


def test_the_page_names_the_versions_that_are_tested() -> None:
    requirements = (HERE / "scale-requirements.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^(\w+)(?:\[\w+\])?==(\S+)$", requirements, re.MULTILINE):
        assert re.search(rf"\b{name} {re.escape(version)}\b", PAGE, re.IGNORECASE), name
