"""The YAML that `nsmc data` proposes trains as it stands, whatever the file is and is called."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from nsmc.cli.data_report import inspected
from tests.commands import BAD, GOOD, PROJECT, run, train_command

ROWS = [
    {"review": f"{text}, {number}", "yes": label}
    for number in range(8)
    for label, texts in (("5", GOOD), ("1", BAD))
    for text in texts
]


def delimited(delimiter: str, encoding: str = "utf-8", *, header: bool = True) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerows(([[*ROWS[0]]] if header else []) + [[*row.values()] for row in ROWS])
    return stream.getvalue().encode(encoding)


def parquet() -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), stream)
    return stream.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "2024": lambda: delimited("\t"),  # needs format
    "1e3.tsv": lambda: delimited("\t", header=False),
    "no.csv": lambda: delimited(",", "cp949"),
    "semi ${colon}.csv": lambda: delimited(";"),
    "# a.csv.gz": lambda: gzip.compress(delimited(",")),
    "리뷰.jsonl": lambda: "\n".join(map(json.dumps, ROWS)).encode(),
    "null.json": lambda: json.dumps(ROWS).encode(),
    "~.parquet": parquet,
    "0x1.txt": lambda: delimited("\t", "utf-16"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_proposed_trains_on_the_reviews_that_were_looked_at(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "true" / name
    path.parent.mkdir()
    path.write_bytes(FILES[name]())
    settings = ["data.label_map={1:no,5:on}"]
    settings += [] if path.suffix and name != "0x1.txt" else ["data.format=tsv"]
    report = inspected(str(path), settings)
    assert report["labels"] == {"no": 40, "on": 40}

    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine.yaml").write_text(report["yaml"], encoding="utf-8")
    overrides = [
        *(f"--config-dir={tmp_path}", "data=mine", "experiment=linear", "linear.min_count=1"),
        *("test=true", f"hydra.run.dir={tmp_path}/run"),
    ]
    command = [word for word in train_command(tmp_path, *overrides) if "data.root=" not in word]
    run(command, 0, PROJECT)
    record = json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))
    assert record["metrics"]["test/accuracy"] == 1
    assert record["config"]["data"]["train_file"] == name
