"""The signature changes with what can change a result, and with nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.earlier import with_todays_keys, without_newer_keys
from nsmc.config.schema import check_config
from nsmc.runs.signature import signature

Composed = Callable[..., dict[str, Any]]


def test_a_run_of_before_corpora_could_have_any_form_is_known_by_its_signature(
    composed: Composed,
) -> None:
    today = check_config(composed("data=sample"))
    old = today.model_dump()
    for key in (
        *("encoding", "fold", "folds", "format", "group_column", "header", "id_column"),
        *("delimiter", "label_column", "label_map", "quoting", "skip_damaged"),
        *("morphemes", "test_fraction", "text_column", "validation_file"),
    ):
        del old["data"][key]
    del old["model"]["class_weights"], old["linear"]["class_weights"], old["linear"]["units"]
    old["data"]["labels"] = ["negative", "positive"]
    assert check_config(with_todays_keys(old)) == today
    known = without_newer_keys({"data": today.data.model_dump(), "model": today.model.model_dump()})
    del old["data"]["test_file"]  # of files the content counts
    assert known == {"data": old["data"], "model": old["model"]}


@pytest.mark.parametrize(
    "override",
    [
        "data.root=/elsewhere",
        "data.cache_dir=/elsewhere",
        "logger=none",
        "trainer.log_every_n_steps=7",
        "trainer.threads=1",
        "callbacks.log_interval_seconds=1",
        "callbacks.checkpoint.every_n_minutes=1",
        "sweep.name=mine",
        "resume=auto",
        "data.unlabelled_file=/elsewhere",
        "data.unlabelled_archive=/elsewhere",
    ],
)
def test_paths_and_logging_do_not_change_it(composed: Composed, override: str) -> None:
    plain, other = check_config(composed()), check_config(composed(override))
    assert plain != other
    assert signature(plain, "corpus") == signature(other, "corpus")


@pytest.mark.parametrize(
    ("experiment", "override", "counts"),
    [
        ("blog", "model.num_sampled=7", False),
        ("blog", "linear.min_count=7", False),
        ("pretrain", "model.num_sampled=7", True),
        ("pretrain", "linear.min_count=7", False),
        ("pretrain", "trainer.max_epochs=7", True),
        ("pretrain", "callbacks.averaging.decay=0.9", True),
        ("pretrain", "distill.weight=0.5", False),
        ("linear", "model.hidden_size=7", False),
        ("linear", "trainer.max_epochs=7", False),
        ("linear", "callbacks.checkpoint.monitor=val/loss", False),
        ("linear", "distill.weight=0.5", False),
        ("linear", "linear.min_count=7", True),
        ("linear", "seed=7", True),
        ("linear", "test=true", True),
        ("linear", "data.split_seed=7", True),
        ("linear", "data.validation_fraction=0.1", True),
        ("linear", "data.unlabelled=false", True),
        ("linear", "data.normalization=nfd", True),
    ],
)
def test_what_a_task_does_not_look_at_does_not_change_it(
    composed: Composed, experiment: str, override: str, counts: bool
) -> None:
    plain = check_config(composed(f"experiment={experiment}"))
    other = check_config(composed(f"experiment={experiment}", override))
    assert plain != other
    assert (signature(plain, "corpus") != signature(other, "corpus")) == counts


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "test=false",
        "data.vocab_size=300",
        "data.split_seed=9",
        "data.batch_size=7",
        "model=lstm",
        "model.dropout=0.1",
        "trainer.max_epochs=2",
        "trainer.precision=bf16-mixed",
        "callbacks.checkpoint.monitor=val/loss",
        "callbacks.early_stopping.patience=1",
        "callbacks.averaging.decay=0.9",
        "data.bpe_dropout=0.1",
        "model.adversarial=virtual",
        "distill.weight=0.5",
    ],
)
def test_what_changes_the_result_changes_it(composed: Composed, override: str) -> None:
    plain, other = check_config(composed()), check_config(composed(override))
    assert signature(plain, "corpus") != signature(other, "corpus")


@pytest.mark.parametrize(
    "setting", ["data.tokenizer={}", "distill.teachers=[{}]"], ids=["tokenizer", "teacher"]
)
def test_what_a_file_holds_changes_it_and_where_it_is_does_not(
    composed: Composed, tmp_path: Path, setting: str
) -> None:
    for name, content in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(content)
    first, moved, other = (
        signature(check_config(composed(setting.format(tmp_path / name))), "corpus")
        for name in "abc"
    )
    assert first == moved != other
    assert first != signature(check_config(composed()), "corpus")


@pytest.mark.parametrize("setting", ["init_from=gone", "data.tokenizer=gone"])
def test_an_ingredient_that_is_not_there_is_named(composed: Composed, setting: str) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        signature(check_config(composed(setting)), "corpus")


def test_of_the_unlabelled_reviews_the_content_counts(composed: Composed, tmp_path: Path) -> None:
    config = check_config(composed("experiment=pretrain", f"data.root={tmp_path}"))
    found = []
    for text in ("글", "글", "다른 글"):
        (tmp_path / "unlabeled.txt").write_text(f"id\tdocument\n1\t{text}\n", encoding="utf-8")
        found.append(signature(config, "corpus"))
    assert found[0] == found[1] != found[2]


def test_the_format_that_a_file_s_name_says_counts(composed: Composed) -> None:
    def signed(*overrides: str) -> str:
        return signature(check_config(composed(*overrides)), "corpus")

    train = "data.train_file"
    assert signed() == signed(f"{train}=other.txt") == signed("data.test_file=other.TXT.gz")
    assert signed(f"{train}=a.csv") == signed(f"{train}=b.csv.gz")
    different = [
        *((), (f"{train}=a.csv",), (f"{train}=a.tsv",), ("data.test_file=a.csv",)),
        *(("data.validation_file=a.csv",), (f"{train}=a.csv", "data.test_file=a.csv")),
    ]
    assert len({signed(*overrides) for overrides in different}) == len(different)


def test_another_corpus_changes_it(composed: Composed) -> None:
    config = check_config(composed())
    assert signature(config, "one") != signature(config, "two")


@pytest.mark.parametrize(
    ("typed", "counts"),
    [
        ("trainer.max_epochs=6", True),  # the default: a step may have had another number
        ("callbacks.checkpoint.monitor=val/accuracy", True),
        ("seed='42'", True),
        ("trainer.threads=1", False),
        ("data.root=/elsewhere", False),
        ("sweep.name=mine", False),
        ("hydra.run.dir=/elsewhere", False),
        ("experiment=best", False),
        ("resume=auto", False),
    ],
)
def test_of_a_recipe_what_was_typed_for_its_steps_counts(
    composed: Composed, typed: str, counts: bool
) -> None:
    recipe = check_config(composed("experiment=best"))
    plain, other = (signature(recipe, "corpus", overrides=typed) for typed in ([], [typed]))
    assert (plain != other) == counts
    run = check_config(composed())
    assert signature(run, "corpus") == signature(run, "corpus", overrides=[typed])


def test_how_a_recipes_overrides_are_quoted_and_ordered_does_not_change_it(
    composed: Composed,
) -> None:
    recipe = check_config(composed("experiment=best"))
    first, second = ["data.split_seed=3", "logger=none", "data.name=a"], ["data.split_seed=3"]
    assert signature(recipe, "corpus", overrides=first) == signature(
        recipe, "corpus", overrides=second
    )
    orders = (["seed=3", "data.vocab_size=300"], ["data.vocab_size=300", "seed=3"])
    first_key, second_key = (signature(recipe, "corpus", overrides=order) for order in orders)
    assert first_key == second_key


def test_a_recipe_of_linear_steps_has_all_that_counts_for_its_others(composed: Composed) -> None:
    recipe = {"steps": {"student": {"task": "classify"}}}
    plain, other = (
        check_config({**composed("experiment=linear", *more), "recipe": recipe})
        for more in ([], ["trainer.max_epochs=1"])
    )
    assert signature(plain, "corpus") != signature(other, "corpus")
