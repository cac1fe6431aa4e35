"""What counts as a setting, and what its column is called."""

from pathlib import Path
from typing import Any

from nsmc.reports.leaderboard import drop_repeats
from nsmc.reports.settings import MISSING, column_names
from tests.reports.factories import board_of, record, runs_of


def test_keys_without_effect_are_no_columns(tmp_path: Path) -> None:
    other = record(0.8, seed=2, data__root="elsewhere", data__cache_dir="c", data__name="copy")
    config = other["config"]
    config |= {"sweep": {"name": "x"}, "resume": "auto", "search": {"trials": 9}, "test": False}
    config["logger"], config["trainer"]["log_every_n_steps"] = {"csv": False}, 1
    config["callbacks"]["log_interval_seconds"] = 1.0
    board = board_of(tmp_path, record(0.8, seed=1), other)
    assert board.columns == [] and len(board.rows) == 1


def test_a_run_of_before_corpora_could_have_any_form_is_of_the_same_setting(
    tmp_path: Path,
) -> None:
    old, new = record(0.8, seed=1), record(0.7, seed=2)
    new["config"]["data"] |= {
        **{"labels": None, "label_map": {"0": "negative", "1": "positive"}, "header": True},
        **{"text_column": "document", "quoting": "nsmc", "group_column": None},
    }
    new["config"]["model"]["class_weights"] = None
    board = board_of(tmp_path / "same", old, new)
    assert board.columns == [] and len(board.rows) == 1
    new["config"]["data"]["quoting"] = "field"
    assert board_of(tmp_path / "other", old, new).columns == ["quoting"]


def test_two_runs_of_one_job_are_one_whatever_else_the_newer_one_measured(tmp_path: Path) -> None:
    old, new = record(0.8), record(0.8)
    new["metrics"] |= {"val/macro_f1": 0.79, "val/calibration_error": 0.02}
    assert len(drop_repeats(runs_of(tmp_path, old, new))) == 1


def test_a_fixed_split_is_a_setting_and_one_that_follows_the_seed_is_none(tmp_path: Path) -> None:
    fixed = [record(0.7, seed=seed, data__split_seed=1) for seed in (1, 2, 3)]
    following = [record(0.8, seed=seed, data__split_seed=seed) for seed in (4, 5)]
    assert board_of(tmp_path / "fixed", *fixed).columns == []
    board = board_of(tmp_path / "both", *fixed, *following)
    assert [(row.values["split_seed"], len(row.runs)) for row in board.rows] == [
        (MISSING, 2),
        (1, 3),
    ]


def test_a_dropout_that_follows_the_others_is_no_column(tmp_path: Path) -> None:
    records = [record(0.8 - share, model__dropout=share) for share in (0.1, 0.2)]
    for content in records:
        model = content["config"]["model"]
        model |= {"embedding_dropout": model["dropout"], "output_dropout": model["dropout"]}
    old = record(0.6, model__dropout=0.3)  # of a time when there was only one dropout
    assert board_of(tmp_path / "following", *records, old).columns == ["dropout"]
    records[0]["config"]["model"]["embedding_dropout"] = 0.2
    other = record(0.5, model__dropout=0.3)
    other["config"]["model"] |= {"embedding_dropout": 0.3, "output_dropout": 0.3}
    board = board_of(tmp_path / "one", *records, other)
    assert board.columns == ["dropout", "embedding_dropout"]
    assert board.rows[-1].label == "dropout=0.3"
    assert [(*row.values.values(),) for row in board.rows] == [
        (0.1, 0.2),
        (0.2, 0.2),
        (0.3, MISSING),
    ]


def test_an_architecture_s_own_settings_are_columns_where_they_vary(tmp_path: Path) -> None:
    records = [record(0.8), record(0.7), record(0.6)]
    for content, widths in zip(records[1:], ([2, 3], [2, 3]), strict=True):
        model = content["config"]["model"]
        del model["hidden_size"]
        model |= {"architecture": "cnn", "filter_widths": widths}
    records[2]["config"]["model"]["lr"] = 0.1
    assert board_of(tmp_path / "same", *records).columns == ["architecture", "lr"]
    records[2]["config"]["model"]["filter_widths"] = [4]
    columns = board_of(tmp_path / "varied", *records).columns
    assert columns == ["architecture", "lr", "filter_widths"]
    records[0]["config"]["model"]["new"] = 1  # which the same architecture did not have before
    older = record(0.8, model__lr=0.1)
    columns = board_of(tmp_path / "older", records[0], older).columns
    assert columns == ["lr", "new"]


def test_what_a_run_starts_and_learns_from_is_a_setting(tmp_path: Path) -> None:
    student = record(0.85, init_from="outputs/a/encoder/bundle")
    distill = {"weight": 0.9, "temperature": 1.0}
    student["config"]["distill"] = {**distill, "teachers": ["outputs/b/gru", "outputs/c/gru"]}
    plain = record(0.8, init_from=None)
    plain["config"]["distill"] = {"weight": 0.7, "temperature": 1.0, "teachers": []}
    board = board_of(tmp_path, student, plain, record(0.7, seed=2, init_from=None))
    assert board.columns == ["init_from", "teachers"]
    assert [((*row.values.values(),), len(row.runs)) for row in board.rows] == [
        (("encoder", "outputs/b/gru + outputs/c/gru"), 1),
        (("–", "–"), 2),
    ]


def test_names_of_columns_are_short_where_that_is_clear() -> None:
    keys = ["model.lr", "data.size", "model.size", "trainer.seconds", "ckpt_path"]
    names = ["lr", "data.size", "model.size", "trainer.seconds", "ckpt_path"]
    assert column_names(keys, ["seconds"]) == names


def test_a_recipe_is_one_setting_with_a_short_name(tmp_path: Path) -> None:
    steps = {name: {"model": {"hidden_size": 64}} for name in ("encoder", "student")}
    recipes: list[Any] = [{"shared": {}, "steps": steps}, {"steps": {}}, None]
    records = [record(0.9 - 0.1 * i, recipe=recipe) for i, recipe in enumerate(recipes)]
    board = board_of(tmp_path, *records)
    assert board.columns == ["recipe"]
    assert [str(row.values["recipe"])[:8] for row in board.rows] == ["2 steps ", "0 steps ", "null"]
