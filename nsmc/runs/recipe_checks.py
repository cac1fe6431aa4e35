"""Checks a recipe's steps before the first one runs: a mistake in the last would cost hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

from nsmc.config.composition import composed, search_path
from nsmc.config.errors import describe
from nsmc.config.overrides import as_overrides
from nsmc.config.schema import RunConfig
from nsmc.config.steps import RecipeConfig, Values, with_typed
from nsmc.data.soft_labels import teacher_digest
from nsmc.extras import needs_extra
from nsmc.runs.signature import effective
from nsmc.runs.sources import LABEL_NUMBERS, check_sources, split_of
from nsmc.runtime.bundle import TOKENIZER_FILE
from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.settings import EncoderSettings
from nsmc.runtime.loading import read_vocabulary
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.morphemes import analyser_versions

# Keys of the section `data` that decide no tokens, where a step trains its tokenizer.
_OF_THE_BATCHES = (
    *("max_length", "padding", "batch_size", "eval_batch_size", "shuffle", "bucketing"),
    *("bpe_dropout", "bpe_samples", "cache_dir"),
)

_FILES = ("root", "train_file", "validation_file", "test_file", "unlabelled_file")


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
    forms = [{**_as_dict(encoder), width: None} for encoder in encoders]
    yield from (f"model.{name}" for name in _unequal(*forms))
    if ours.model.pooling != theirs.model.pooling:
        yield "model.pooling"
    held_out = _unequal(_held_out(ours), _held_out(theirs))
    yield from (key if key == LABEL_NUMBERS else f"data.{key}" for key in held_out)
    if not held_out and _tokens(one, planned) != _tokens(other, planned):
        yield "its tokens (let both start from one encoder, or take data.tokenizer from one step)"


def _as_dict(encoder: EncoderSettings) -> dict[str, Any]:
    values: dict[str, Any] = asdict(encoder)  # type: ignore[call-overload]
    return values


def _unequal(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    return [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]


def _held_out(config: RunConfig) -> dict[str, Any]:
    """What decides which reviews a step is measured on, as what and how far they are read."""
    data = config.data.model_dump()
    split = split_of(data)
    files = ["validation_file", "test_file"]
    files += ["train_file"] if "split_seed" in split else []  # from which they are drawn
    paths = {key: data[key] and Path(data["root"], data[key]) for key in files}
    how = {key: data[key] for key in ("labels", "max_length", "morphemes")}
    # A mapping equals one in another order, which numbers the labels otherwise.
    return {**split, **paths, **how, "label_map": [*(data["label_map"] or {}).items()]}


def _tokens(name: str, planned: Mapping[str, RunConfig]) -> Any:
    """What decides which tokens a step has: a tokenizer that is there, or how one is made."""
    config = planned.get(name)
    if config is None:
        path = Path(name).expanduser()
        return read_vocabulary(path if path.is_file() else bundle_folder(path) / TOKENIZER_FILE)
    if source := config.data.tokenizer or config.init_from:
        return _tokens(source, planned)
    return config.data.model_dump(exclude={*_OF_THE_BATCHES})


def _content(name: str, planned: Mapping[str, RunConfig]) -> Any:
    """What decides a step's result, whatever it and those that it builds on are called.

    A file is taken for another one than that of another name.
    """
    config = planned.get(name)
    if config is None:
        return teacher_digest(name)
    values = effective(config.task, config.model_dump())
    values.pop("test")  # which looks at the result alone
    files = config.data.model_dump(include={*_FILES})
    sources = [config.init_from, config.data.tokenizer, *config.distill.teachers]
    return values, files, [source and _content(source, planned) for source in sources]
