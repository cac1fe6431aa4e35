"""A linear run measures what it was not trained on, and leaves soft labels of all it may teach."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nsmc.comparison.answers import read_answers
from nsmc.config.schema import check_config
from nsmc.runs.build import build_datamodule
from nsmc.runs.linear_job import train_linear


def test_training_and_validation_reviews_get_soft_labels(
    composed: Callable[..., dict[str, Any]], corpus: Path, tmp_path: Path
) -> None:
    own = ("data=folder", f"data.root={corpus}", f"data.cache_dir={tmp_path}/cache")
    config = check_config(composed(*own, "experiment=linear", "linear.min_count=1", "test=true"))
    result = train_linear(config, build_datamodule(config), tmp_path)
    header, *rows = (tmp_path / "soft_labels.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "id\tprobability"
    assert sorted(int(row.split("\t")[0]) for row in rows) == [*range(40)]
    assert result["metrics"]["test/accuracy"] == 1.0  # its words are those of the training part
    assert result["metrics"].keys() >= {"val/accuracy", "val/loss", "test/loss"}
    for part in ("val", "test"):
        kept = read_answers(tmp_path, part)
        assert kept is not None and kept.ids.tolist() == sorted(kept.ids.tolist())
        assert kept.is_right.mean() == result["metrics"][f"{part}/accuracy"]
