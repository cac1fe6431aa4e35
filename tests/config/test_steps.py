"""A recipe's steps are values: what each of them sets, in which order, and with what was typed."""

from collections.abc import Callable
from typing import Any

import pytest

from nsmc.config.overrides import typed_for_steps
from nsmc.config.schema import check_config
from nsmc.config.steps import RecipeConfig, with_folders, with_typed

Composed = Callable[..., dict[str, Any]]

SECOND: dict[str, Any] = {"init_from": "first"}


def test_shared_settings_are_those_of_every_step_that_says_nothing_else() -> None:
    steps: Any = {"a": {"seed": 1}, "b": {"model": {"lr": 0.5}, "init_from": "a"}, "c": None}
    shared = {"defaults": {"model": "lstm"}, "model": {"lr": 0.1}, "seed": 3}
    assert RecipeConfig(shared=shared, steps=steps).values() == {
        "a": {"model": "lstm", "model.lr": 0.1, "seed": 1},
        "b": {"model": "lstm", "model.lr": 0.5, "seed": 3, "init_from": "a"},
    }


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            {"first": {}, "second": SECOND, "third": {}},
            "no step builds on second and third, but .* NAME: null leaves one out",
        ),
        ({"a": {"init_from": "b"}, "b": {"init_from": "a"}}, "a and b build on each other"),
        ({"a": {"init_from": "a"}}, "recipe: a builds on itself"),
        ({"a": None}, "recipe.steps={}: must be"),
        ({"../a": {}}, "letters, digits"),
        ([{}], "recipe.steps=.*: must be a section"),
    ],
)
def test_steps_that_do_not_end_in_one_result_are_refused(
    composed: Composed, steps: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_config({**composed("data=sample"), "recipe": {"steps": steps}})


@pytest.mark.parametrize(
    ("merge", "message"),
    [
        (["a"], r"merge: \[a\]: name two steps at least"),
        ([], r"merge: \[\]: name two steps at least"),
        (["a", "x"], r"no step x \(there are a, b, c\)"),
        (["a", "b", "a"], "a is there twice"),
        (["a", "b"], r"no step builds on c beside merge: \[a, b\], but a recipe has one result"),
        ("a", "recipe.merge=a: must be a list"),
    ],
)
def test_a_merge_that_names_other_than_the_results_is_refused(
    composed: Composed, merge: Any, message: str
) -> None:
    steps: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    with pytest.raises(ValueError, match=message):
        check_config({**composed("data=sample"), "recipe": {"steps": steps, "merge": merge}})


def test_merged_steps_are_the_results(composed: Composed) -> None:
    steps: dict[str, Any] = {"a": {}, "b": {"init_from": "a"}, "c": {"init_from": "a"}}
    merges = {"recipe": {"steps": steps, "merge": ["b", "c"]}}
    assert check_config({**composed("data=sample"), **merges}).recipe is not None


@pytest.mark.parametrize(
    "override", ["model.hidden_size=3", "model=lstm", "distill.weight=1", "task=linear"]
)
def test_what_a_recipe_is_about_cannot_be_overridden(override: str) -> None:
    with pytest.raises(ValueError, match=override.split("=")[0]):
        typed_for_steps(["experiment=best", override])


@pytest.mark.parametrize(
    ("key", "typed", "expected"),
    [
        ("trainer.max_epochs", 1, 1),
        ("data.vocab_size", 300, 300),
        ("logger", "none", "none"),
        ("seed", 7, 1),
        ("test", True, False),
        ("callbacks.checkpoint.monitor", "val/f1", "val/loss"),
        ("callbacks.checkpoint.every_n_minutes", 2, 2),
    ],
)
def test_a_step_keeps_its_own_seed_test_and_callbacks_whatever_is_typed(
    key: str, typed: Any, expected: Any
) -> None:
    values: dict[str, Any] = {"trainer.max_epochs": 3, "seed": 1, "test": False}
    values |= {"callbacks.checkpoint.monitor": "val/loss", "data.vocab_size": 400}
    assert with_typed(values, {key: typed}) == {**values, key: expected}


def test_names_of_steps_become_their_folders() -> None:
    values = {"init_from": "a", "distill.teachers": ["b", "./c.tsv"], "data.name": "a"}
    assert with_folders(values, {"a": "/x/a-1", "b": "/x/b-2"}) == {
        "init_from": "/x/a-1",
        "distill.teachers": ["/x/b-2", "./c.tsv"],
        "data.name": "a",
    }


def test_pretrained_is_the_bundle_in_the_package_and_no_step() -> None:
    values = {"init_from": "pretrained", "distill.teachers": ["first", "pretrained"]}
    steps: Any = {"second": values, "first": {}}
    assert [*RecipeConfig(steps=steps).values()] == ["first", "second"]
    filled = {"init_from": "pretrained", "distill.teachers": ["/x", "pretrained"]}
    assert with_folders(values, {"first": "/x"}) == filled


def test_a_step_cannot_have_the_name_of_the_bundle_in_the_package(composed: Composed) -> None:
    recipe: dict[str, Any] = {"steps": {"pretrained": {}}, "shared": {}}
    message = "must be another name than pretrained, which is the bundle in the package"
    with pytest.raises(ValueError, match=message):
        check_config({**composed(), "recipe": recipe})


def test_a_recipe_that_builds_on_another_can_add_a_step_that_earlier_ones_build_on() -> None:
    steps: Any = {"student": {"distill": {"teachers": ["old", "new"]}}, "old": {}, "new": {}}
    assert [*RecipeConfig(steps=steps).values()] == ["old", "new", "student"]


def test_a_recipe_that_builds_on_another_one_drops_a_key_or_a_choice_with_null(
    composed: Composed,
) -> None:
    step = {
        "defaults": {"model": None, "experiment": None},
        "model": {"num_filters": None, "embedding_rank": None, "lr": 0.1},
        "trainer": None,
        "init_from": None,
    }
    recipe = check_config({**composed("data=sample"), "recipe": {"steps": {"a": step}}}).recipe
    assert recipe is not None
    assert recipe.values()["a"] == {
        **{"experiment": None, "model.embedding_rank": None, "model.lr": 0.1, "init_from": None},
    }
