"""Corpora with other labels than two, from a file to a bundle, a student and a new start."""

import json
from pathlib import Path
from typing import Any

import pytest

from nsmc.runtime.loading import read_config
from tests.commands import BAD, GOOD, PROJECT, run, train_command

FAIR = ("그저 그렇다", "보통 영화", "그냥 볼만하다", "나쁘지 않다", "평범한 연기")


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with reviews.csv, 90 reviews with 1, 2 or 3 stars, and others.csv, without 2."""
    root = tmp_path_factory.mktemp("reviews")
    rows = [
        f"{text} {number},{stars}"
        for number in range(6)
        for stars, texts in enumerate((BAD, FAIR, GOOD), start=1)
        for text in texts
    ]
    for name, chosen in (("reviews", rows), ("others", [r for r in rows if r[-1] != "2"])):
        content = "\n".join(["review,stars", *chosen]) + "\n"
        (root / f"{name}.csv").write_text(content, encoding="utf-8")
    return root


def trained(root: Path, name: str, *overrides: str, expect: int = 0) -> str:
    """What a run in the folder `name` says on standard error."""
    columns = ("data.text_column=review", "data.label_column=stars", "data.test_fraction=0.2")
    command = train_command(
        root,
        *("data=files", "data.train_file=reviews.csv", *columns),
        *(f"hydra.run.dir={root}/{name}", *overrides),
    )
    return run(command, expect, PROJECT).stderr


def record_of(folder: Path) -> Any:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_three_labels_are_learnt_measured_taught_and_started_from(reviews: Path) -> None:
    names = "data.label_map={1:부정,2:보통,3:긍정}"
    regularizers = ("model.r_drop=0.5", "model.adversarial=virtual", "model.label_smoothing=0.1")
    trained(reviews, "three", names, *regularizers, "callbacks.checkpoint.monitor=val/macro_f1")
    assert read_config(reviews / "three/bundle/config.json").labels == ("부정", "보통", "긍정")
    measures = ("loss", "accuracy", "macro_f1", "auroc", "calibration_error")
    metrics = {f"{stage}/{measure}" for stage in ("val", "test") for measure in measures}
    assert record_of(reviews / "three")["metrics"].keys() == metrics

    trained(reviews, "linear", names, "experiment=linear", "linear.min_count=1", "test=true")
    assert record_of(reviews / "linear")["metrics"].keys() == metrics
    soft_labels = (reviews / "linear/soft_labels.tsv").read_text(encoding="utf-8").splitlines()
    assert soft_labels[0] == "id\t부정\t보통\t긍정"

    teachers = f"distill.teachers=[{reviews}/three,{reviews}/linear]"
    said = trained(reviews, "student", names, teachers, "logger=none")
    assert "2 teachers together: validation accuracy" in said
    assert record_of(reviews / "student")["metrics"].keys() == metrics

    others = "data.train_file=others.csv"
    said = trained(reviews, "two", others, f"init_from={reviews}/three")
    assert "answers '부정', '보통', '긍정' and this run '1', '3': it gives the encoder" in said
    checkpoint = f"ckpt_path={reviews}/three/checkpoints/last.ckpt"
    said = trained(reviews, "on", others, checkpoint, expect=1)
    assert "has label_count=3, this run label_count=2" in said
    said = trained(reviews, "not", others, teachers, expect=1)
    assert "answers '부정', '보통', '긍정'; the corpus has '1', '3'" in said


def test_weights_of_labels_are_those_of_the_network_and_of_the_linear_classifier(
    reviews: Path,
) -> None:
    two = "data.label_map={1-2:bad,3:good}"
    runs = {
        name: [two, f"task={task}", f"model.class_weights={weights}", "logger=none"]
        for task in ("classify", "linear")
        for name, weights in ((f"{task}-no", "null"), (f"{task}-yes", "balanced"))
    }
    records = {}
    for name, overrides in runs.items():
        trained(reviews, name, *overrides)
        records[name] = record_of(reviews / name)
    for task in ("classify", "linear"):
        without, balanced = (records[f"{task}-{answer}"] for answer in ("no", "yes"))
        assert without["signature"] != balanced["signature"]
        assert without["metrics"]["val/loss"] != balanced["metrics"]["val/loss"]


def test_what_does_not_fit_the_labels_is_refused_in_a_line(reviews: Path) -> None:
    said = trained(reviews, "f1", "callbacks.checkpoint.monitor=val/f1", expect=1)
    assert "monitor=val/f1: F1 is that of the second of two labels, and this corpus has 3" in said
    said = trained(reviews, "weights", "model.class_weights=[1,2]", expect=1)
    assert "model.class_weights: 2 numbers; this corpus has 3 labels" in said
    said = trained(reviews, "own", "task=linear", "linear.class_weights=[1,2]", expect=1)
    assert "linear.class_weights: 2 numbers; this corpus has 3 labels" in said
    assert "Traceback" not in said
