"""A recipe as values: what each of its steps sets, and in which order they run.

    recipe:
      shared:                # what every step sets, unless it says otherwise
        data: {split_seed: 42}
      steps:
        encoder:
          defaults: {experiment: pretrain}
          seed: 1
        student:
          defaults: {experiment: distill, model: lstm}
          init_from: encoder

`defaults` chooses from the groups under configs/, as the defaults list of a file does; the rest are
keys of the configuration. Where a key names a run, a name without a slash is a step's, `./encoder`
is a folder, and `pretrained` the bundle in the package. Mappings merge, so another recipe can build
on this one; null leaves out a step, or a key that cannot be null. A recipe ends in one step, or in
the bundles of those that `merge` names, side by side in one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeGuard

from pydantic import AfterValidator, BeforeValidator, Field

from nsmc.config.keys import Keys, Section
from nsmc.runtime.locate import PRETRAINED

# Keys that take a run's folder, or the name of a step.
_NAMES_RUNS = ("init_from", "distill.teachers", "data.tokenizer")

# Folders under configs/ that are no section of the configuration.
MORE_GROUPS = ("experiment", "ablation", "debug", "tokenizer")

# Sections about the command, which a step cannot set.
OF_THE_COMMAND = ("recipe", "resume", "search", "sweep")

_CHOICE = re.compile(r"\w[\w.+-]*")  # no path, which could lead out of the group's folder

# What a user may type for all steps; the rest is what the recipe is about. In the first three a
# typed value replaces a step's own.
_FOR_ALL = ("data", "trainer", "logger")
FREE = (*_FOR_ALL, "debug", "callbacks", "seed", "test", "tags", "notes")

# A step's settings: dotted keys with their values, and groups with their choices.
Values = dict[str, Any]


def as_folder_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.+-]{0,99}", name):
        raise ValueError("letters, digits and . + - _, 100 of them at most")
    return name


def as_step_name(name: str) -> str:
    if name == PRETRAINED.name:
        raise ValueError(f"another name than {name}, which is the bundle in the package")
    return as_folder_name(name)


def without_null(section: Any) -> Any:
    """What is left where a file that builds on another one drops some of its names."""
    if not isinstance(section, dict):
        return section
    return {name: value for name, value in section.items() if value is not None}


def without_unset(step: Mapping[str, Any], keys: Keys, prefix: str = "") -> dict[str, Any]:
    """The same of a step's keys and groups, where null is no value."""
    left = {}
    for name, value in step.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            left[name] = without_unset(value, keys, "" if key == "defaults" else f"{key}.")
        elif value is not None or key not in keys or keys.can_be_null(key):
            left[name] = value
    return left


class RecipeConfig(Section):
    shared: dict[str, Any] = Field(default={})
    steps: Annotated[
        dict[Annotated[str, AfterValidator(as_step_name)], dict[str, Any]],
        Field(min_length=1),
        BeforeValidator(without_null),
    ]
    merge: list[str] | None = Field(default=None)

    def values(self) -> dict[str, Values]:
        """What each step sets, in the order in which they run: a step after those it builds on."""
        shared = _settings(self.shared)
        written = {name: {**shared, **_settings(step)} for name, step in self.steps.items()}
        ordered: dict[str, Values] = {}
        for name in written:
            _append(name, written, ordered, ())
        return ordered


def _settings(step: Mapping[str, Any]) -> Values:
    """A step's mapping as dotted keys, and the groups that it chooses from."""
    keys = {name: value for name, value in step.items() if name != "defaults"}
    return {**step.get("defaults", {}), **dict(flat(keys))}


def flat(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values."""
    for name, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _append(
    name: str, written: Mapping[str, Values], ordered: dict[str, Values], waiting: tuple[str, ...]
) -> None:
    """Put a step after those that it builds on; `waiting` are the steps that build on it."""
    if name in waiting:
        circle = waiting[waiting.index(name) :]
        are = "build on each other" if len(circle) > 1 else "builds on itself"
        raise ValueError(f"recipe: {' and '.join(circle)} {are}")
    for key, value in references(written[name]):
        if value not in written:
            raise ValueError(
                f"recipe, step {name}: {key}={value}: no such step (there are "
                f"{', '.join(other for other in written if other != name)}); a path is written "
                f"./{value}"
            )
        _append(value, written, ordered, (*waiting, name))
    ordered.setdefault(name, written[name])


def references(values: Values) -> Iterator[tuple[str, str]]:
    """The keys that name other steps, with these names."""
    for key in _NAMES_RUNS:
        value = values.get(key)
        for name in value if isinstance(value, list) else [value]:
            if is_name(name):
                yield key, name


def is_name(value: Any) -> TypeGuard[str]:
    """Whether it names a step, and neither a path nor the bundle in the package."""
    return isinstance(value, str) and "/" not in value and value != PRETRAINED.name


def with_folders(values: Values, folders: Mapping[str, str]) -> Values:
    """The values with the folders of the steps that they name."""

    def filled(value: Any) -> Any:
        if isinstance(value, list):
            return [filled(item) for item in value]
        return folders[value] if is_name(value) else value

    return values | {key: filled(values[key]) for key in _NAMES_RUNS if key in values}


def with_typed(values: Values, typed: Mapping[str, Any]) -> Values:
    """The values with those that were typed for the whole recipe.

    In other sections a step's own values stay: a teacher's seed, so that many students can have the
    same one, and that an encoder is chosen by its loss. With `debug`, that file's trainer counts.
    """
    if typed.get("debug") is not None:
        values = {key: value for key, value in values.items() if not key.startswith("trainer.")}
    own = {key for key in values if key.partition(".")[0] not in _FOR_ALL}
    return values | {key: value for key, value in typed.items() if key not in own}


def check_recipe(recipe: RecipeConfig, keys: Keys) -> None:
    """Raises ValueError for what no step can set, and for steps that do not end in one result."""
    parts = {f"step {name}": step for name, step in recipe.steps.items()}
    for title, part in {"shared": recipe.shared, **parts}.items():
        for problem in _problems(part, keys):
            raise ValueError(f"recipe, {title}: {problem}")
    steps = recipe.values()
    _check_merge(recipe, steps)
    used = {name for values in steps.values() for _, name in references(values)}
    ends = [name for name in steps if name not in {*used, *(recipe.merge or ())}]
    if len(ends) + bool(recipe.merge) > 1:
        merges = f" beside merge: {_listed(recipe.merge)}" if recipe.merge else ""
        raise ValueError(
            f"recipe: no step builds on {' and '.join(ends)}{merges}, but a recipe has one result; "
            "a misspelt name is a step of its own, NAME: null leaves one out, merge names several"
        )


def _check_merge(recipe: RecipeConfig, steps: Mapping[str, Values]) -> None:
    """Raises ValueError for what cannot be merged, as far as the names say it."""
    if recipe.merge is None:
        return
    title = f"recipe: merge: {_listed(recipe.merge)}"
    if len(recipe.merge) < 2:
        raise ValueError(f"{title}: name two steps at least; null merges none")
    for index, name in enumerate(recipe.merge):
        if name not in steps:
            raise ValueError(f"{title}: no step {name} (there are {', '.join(steps)})")
        if name in recipe.merge[:index]:
            raise ValueError(f"{title}: {name} is there twice")


def _listed(names: list[str]) -> str:
    return f"[{', '.join(names)}]"


def _problems(step: Mapping[str, Any], keys: Keys) -> Iterator[str]:
    defaults = step.get("defaults", {})
    if not isinstance(defaults, dict):
        yield "defaults: must be choices from groups, {GROUP: NAME}"
        return
    for group, choice in defaults.items():
        if not is_group(group, keys) or group in OF_THE_COMMAND:
            yield f"defaults.{group}: no such group"
        elif not is_choice(choice):
            yield f"defaults.{group}: must be the name of a file in configs/{group}, or null"
    for key, value in _settings({**step, "defaults": {}}).items():
        if key.partition(".")[0] in OF_THE_COMMAND:
            yield f"{key}: is of a command and not of a step; leave it out"
        elif is_group(key, keys):
            yield f"{key}: has keys of its own; a choice is written defaults: {{{key}: NAME}}"
        elif key not in keys:
            yield keys.unknown(key)
        elif not all(map(is_plain, value if isinstance(value, list) else [value])):
            yield f"{key}: must be a plain value"


def is_group(key: str, keys: Keys) -> bool:
    """Whether configs/ has a folder of this name, with files to choose from."""
    return key in MORE_GROUPS or keys.is_section(key)


def is_choice(value: Any) -> bool:
    """Whether it can be a choice from a group: null, or a name."""
    return value is None or (isinstance(value, str) and bool(_CHOICE.fullmatch(value)))


def is_plain(value: Any) -> bool:
    """Whether it is a single value without anything for Hydra to fill in."""
    return isinstance(value, str | bool | int | float | None) and "${" not in str(value)
