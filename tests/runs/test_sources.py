"""No run is chosen by reviews that what it starts from has learnt from."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import RunConfig, check_config
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.runs.corpus_files import training_fingerprint
from nsmc.runs.record import read_record, write_record
from nsmc.runs.sources import check_held_out

Composed = Callable[..., dict[str, Any]]

CORPUS = "of this corpus"


@pytest.fixture
def config_with(composed: Composed) -> Callable[..., RunConfig]:
    return lambda *overrides: check_config(composed("data=sample", "data.split_seed=1", *overrides))


def source(folder: Path, product: str = "bundle/config.json", **changes: Any) -> Path:
    """A run's folder, with its product and its record."""
    (folder / product).parent.mkdir(parents=True)
    (folder / product).write_text("")
    data = {"split_seed": 1, "validation_fraction": 0.1, **changes}
    corpus = data.pop("corpus", CORPUS)
    write_record(folder, {"corpus_fingerprint": corpus, "config": {"data": data}})
    return folder


KEYS = ["init_from={}", "distill.teachers=[{}]"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("inside", ["", "bundle"])
def test_a_source_that_held_out_the_same_reviews_is_taken(
    config_with: Callable[..., RunConfig], tmp_path: Path, key: str, inside: str
) -> None:
    config = config_with(
        "data.validation_fraction=0.1", key.format(source(tmp_path / "r") / inside)
    )
    check_held_out(config, CORPUS)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("inside", ["", "bundle"])
@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"split_seed": 2}, "data.split_seed=2"),
        ({"validation_fraction": 0.2}, "data.validation_fraction=0.2"),
        (
            {"split_seed": 3, "validation_fraction": 0.2},
            "data.validation_fraction=0.2 data.split_seed=3",
        ),
        (
            {"test_file": None, "test_fraction": 0.2},
            "data.test_file=null data.folds=null data.test_fraction=0.2",
        ),
        ({"test_file": None, "folds": 5, "fold": 1}, "data.folds=5 data.fold=1"),
        ({"validation_file": "val.csv"}, "data.validation_file=val.csv"),
        ({"group_column": "film"}, "data.group_column=film"),
        ({"label_map": {"1": "good", "0": "bad"}}, "data.label_map={1:good,0:bad}"),
        ({"skip_damaged": True}, "data.skip_damaged=true"),
        (
            {"labels": ["positive", "negative"], "label_map": {"0": "negative", "1": "positive"}},
            "data.labels=[positive,negative]",
        ),
        (
            {"label_map": {"0": None, "1": "b", "2": "c"}},
            "data.label_map={0:null,1:b,2:c}",
        ),
    ],
)
def test_one_that_held_out_others_is_refused_with_the_way_out(
    config_with: Callable[..., RunConfig],
    tmp_path: Path,
    key: str,
    inside: str,
    changes: dict[str, Any],
    needed: str,
) -> None:
    place = source(tmp_path / "r", **changes) / inside
    config = config_with("data.validation_fraction=0.1", key.format(place))
    named = f"{key.partition('=')[0]}={place}"
    expected = f"^{re.escape(named)}: may have learnt .*; set .*{re.escape(needed)}, as"
    with pytest.raises(ValueError, match=expected):
        check_held_out(config, CORPUS)


NO_TEST = ("data.test_file=null", "data.test_fraction=0.2", "data.validation_fraction=0.1")


@pytest.mark.parametrize(
    ("ours", "theirs", "needed"),
    [
        (NO_TEST, {"test_file": None, "test_fraction": 0.2, "folds": None}, ""),
        (NO_TEST, {"test_file": "x"}, "data.test_file=x"),
        (NO_TEST, {"test_file": None, "test_fraction": 0.3}, "data.test_fraction=0.3"),
        (
            ("data.test_file=null", "data.folds=5", "data.fold=2", "data.validation_fraction=0.1"),
            {"test_file": None, "folds": 5, "fold": 1},
            "data.fold=1",
        ),
        (
            ("data.test_file=null", "data.folds=5", "data.fold=2", "data.validation_fraction=0.1"),
            {"test_file": None, "folds": 5, "fold": 2, "test_fraction": 0.7},
            "",
        ),
        (("data.validation_file=ratings_test.txt",), {"validation_fraction": 0.7}, ""),
        (("data.validation_fraction=0.1",), {"test_file": "renamed.txt"}, ""),
    ],
)
def test_what_counts_is_what_is_held_out_of_the_training_file(
    config_with: Callable[..., RunConfig],
    tmp_path: Path,
    ours: tuple[str, ...],
    theirs: dict[str, Any],
    needed: str,
) -> None:
    config = config_with(*ours, f"init_from={source(tmp_path / 'r', **theirs)}")
    if not needed:
        check_held_out(config, CORPUS)
        return
    with pytest.raises(ValueError, match=f"; set {re.escape(needed)}, as it did$"):
        check_held_out(config, CORPUS)


@pytest.mark.parametrize(
    "changes",
    [
        {"label_map": {"0": "bad", "1": "good"}},
        {"label_map": {"1": "good", "0": "bad"}, "labels": ["bad", "good"]},
        {"labels": ["부정", "긍정"]},
        {"label_map": {"0.0": "bad", "+1": "good"}},  # from before these were kept as 0 and 1
    ],
)
def test_what_labels_are_called_moves_no_review(
    config_with: Callable[..., RunConfig], tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = config_with(f"init_from={source(tmp_path / 'r', **changes)}")
    check_held_out(config, CORPUS)


def test_where_the_labels_order_differs_that_is_what_the_advice_is_about(
    config_with: Callable[..., RunConfig], tmp_path: Path
) -> None:
    place = source(tmp_path / "r", label_map=None, labels=["1", "0"])
    config = config_with("data.label_map=null", "data.labels=['0','1']", f"init_from={place}")
    with pytest.raises(ValueError, match=r"; set data\.labels=\['1','0'\], as it did$"):
        check_held_out(config, CORPUS)


def test_a_source_that_held_out_reviews_without_looking_at_labels_is_to_be_made_anew(
    config_with: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = config_with(f"init_from={source(tmp_path / 'r', label_column=None)}")
    with pytest.raises(ValueError, match=r"; train it with data\.label_column=label$"):
        check_held_out(config, CORPUS)


def test_the_same_training_file_beside_others_is_known(
    config_with: Callable[..., RunConfig], tmp_path: Path
) -> None:
    folder = source(tmp_path / "r", corpus="with another validation file", split_seed=2)
    config = config_with(f"init_from={folder}")
    check_held_out(config, CORPUS)
    record = read_record(folder) or {}
    write_record(folder, {**record, "training_fingerprint": training_fingerprint(config.data)})
    with pytest.raises(ValueError, match=r"data\.split_seed=2"):
        check_held_out(config, CORPUS)


def test_a_linear_teacher_is_known_by_the_record_beside_its_soft_labels(
    config_with: Callable[..., RunConfig], tmp_path: Path
) -> None:
    teacher = source(tmp_path / "r", SOFT_LABELS_FILE, split_seed=2)
    with pytest.raises(ValueError, match=r"set data\.split_seed=2"):
        check_held_out(config_with(f"distill.teachers=[{teacher}]"), CORPUS)


def test_one_of_another_corpus_or_without_a_record_is_taken(
    config_with: Callable[..., RunConfig], tmp_path: Path
) -> None:
    other, unknown = source(tmp_path / "other", corpus="another"), source(tmp_path / "unknown")
    (unknown / "run.json").unlink()
    for place in (other, unknown, tmp_path / "nowhere"):
        check_held_out(config_with("data.split_seed=5", f"init_from={place}"), CORPUS)


def test_a_source_that_had_no_test_file_is_of_the_same_corpus(
    config_with: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = config_with("data.split_seed=5", f"init_from={tmp_path / 'r'}")
    source(tmp_path / "r", corpus=training_fingerprint(config.data))
    with pytest.raises(ValueError, match=r"set data\..*split_seed=1"):
        check_held_out(config, CORPUS)
