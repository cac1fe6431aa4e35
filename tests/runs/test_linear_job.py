"""A linear run measures what it was not trained on, and leaves soft labels of all it may teach."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_an_id_of_two_reviews_is_refused_before_fitting(
    composed: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The student that it would teach could not tell them apart."""
    rows = [f"{number % 39}\t글 {number}\t{number % 2}" for number in range(40)]
    text = "\n".join(["id\tdocument\tlabel", *rows])
    (tmp_path / "ratings_train.txt").write_text(text, encoding="utf-8")
    own = [
        *("data=folder", f"data.root={tmp_path}", "data.train_file=ratings_train.txt"),
        *("data.test_file=null", f"data.cache_dir={tmp_path}/cache"),
    ]
    config = check_config(composed(*own, "experiment=linear", "data.validation_fraction=0.2"))
    monkeypatch.setattr("nsmc.training.linear.LinearClassifier.fit", None)
    with pytest.raises(ValueError, match="the id '0' is that of different reviews"):
        train_linear(config, build_datamodule(config), tmp_path)
