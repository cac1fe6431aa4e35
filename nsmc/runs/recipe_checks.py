"""Checks a recipe's steps before the first one runs: a mistake in the last would cost hours."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import combinations
from typing import Any

from nsmc.config.composition import composed, search_path
from nsmc.config.errors import describe
from nsmc.config.overrides import as_overrides
from nsmc.config.schema import RunConfig
from nsmc.config.steps import RecipeConfig, Values, with_typed
from nsmc.extras import needs_extra
from nsmc.runs.signature import effective
from nsmc.runs.sources import LABEL_NUMBERS, check_sources, split_of
from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.settings import needed_settings
from nsmc.runtime.morphemes import analyser_versions

# Which tokens there are, where a step trains its tokenizer, beside the corpus and its split.
_OF_A_TOKENIZER = ("vocab_size", "min_frequency", "normalization", "morphemes", "unlabelled")

_FILES = ("root", "train_file", "validation_file", "test_file")


def step_overrides(values: Values, typed: Values) -> list[str]:
    """What composes the configuration of a step with these values."""
    return [*search_path(), *as_overrides(with_typed(values, typed))]


def check_steps(recipe: RecipeConfig, typed: Values) -> None:
    """Raises ValueError, naming the step, for one that could not run, and for a hopeless merge."""
    planned: dict[str, RunConfig] = {}
    for name, values in recipe.values().items():
        try:
            config = composed(step_overrides(values, typed))
            if config.recipe:
                raise ValueError("is a recipe itself; list its steps instead")
            # Its sources still have the names of their steps.
            check_sources(config, planned)
            _check_extras(config)
        except (ValueError, OSError) as error:
            raise ValueError(f"recipe, step {name}: {describe(error)}") from None
        planned[name] = config
    if recipe.merge:
        _check_merge(recipe.merge, planned)


def _check_extras(config: RunConfig) -> None:
    """Raises ValueError where the step needs an extra that is not installed."""
    if config.data.morphemes:
        analyser_versions()
    if config.task == "linear" and find_spec("sklearn") is None:
        raise ValueError(needs_extra("task=linear", "linear"))


def _check_merge(names: Sequence[str], planned: Mapping[str, RunConfig]) -> None:
    """Raises ValueError for steps whose results could not stand side by side, or are the same."""
    for name in names:
        if (task := planned[name].task) != "classify":
            raise ValueError(f"recipe: merge: {name} has task={task}; only bundles merge")
        if planned[name].model.pooling == "attention":
            raise ValueError(f"recipe: merge: {name} has attention, which cannot be merged")
    first, *others = names
    for name in others:
        if differing := [*_differences(first, name, planned)]:
            raise ValueError(
                f"recipe: merge: {name} differs from {first} in {', '.join(differing)}; only "
                "widths and weights may"
            )
    for one, other in combinations(names, 2):
        if _content(one, planned) == _content(other, planned):
            raise ValueError(
                f"recipe: merge: {one} and {other} are the same, seed={planned[one].seed} and "
                "all; give the recipe another seed"
            )


def _differences(one: str, other: str, planned: Mapping[str, RunConfig]) -> Iterator[str]:
    """The settings in which two steps differ and may not."""
    ours, theirs = planned[one], planned[other]
    encoders = [encoder_settings(config.model.encoder()) for config in (ours, theirs)]
    width = encoders[0].size_setting
    yield from (f"model.{name}" for name in needed_settings(*encoders) if name != width)
    if ours.model.pooling != theirs.model.pooling:
        yield "model.pooling"
    keys = [key for key in (*_FILES, "max_length", "morphemes") if _data(ours, key, theirs)]
    splits = [split_of(config.data.model_dump()) for config in (ours, theirs)]
    keys += [key for key in splits[0] | splits[1] if splits[0].get(key) != splits[1].get(key)]
    for key in dict.fromkeys(keys):
        yield key if key == LABEL_NUMBERS else f"data.{key}"
    if not keys and _tokens(one, planned) != _tokens(other, planned):
        yield f"its tokens (data.tokenizer: {one} gives it the same)"


def _data(ours: RunConfig, key: str, theirs: RunConfig) -> bool:
    return bool(getattr(ours.data, key) != getattr(theirs.data, key))


def _tokens(name: str, planned: Mapping[str, RunConfig]) -> Any:
    """What decides which tokens a step has: where its tokenizer is from, or how it is made."""
    config = planned.get(name)
    if config is None:
        return name
    if source := config.data.tokenizer or config.init_from:
        return _tokens(source, planned)
    return [getattr(config.data, key) for key in _OF_A_TOKENIZER]


def _content(name: str, planned: Mapping[str, RunConfig]) -> Any:
    """What decides a step's result, whatever it and those that it builds on are called."""
    config = planned.get(name)
    if config is None:
        return name
    values = effective(config.task, config.model_dump())
    values.pop("test")  # which looks at the result alone
    sources = [config.init_from, config.data.tokenizer, *config.distill.teachers]
    return values, [source and _content(source, planned) for source in sources]
