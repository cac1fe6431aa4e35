"""A recipe: runs that build on each other, such as encoder, teachers, student, by one command.

Each step is a run of its own, in a folder that is named by the run's signature. So a step whose
result is there is skipped, an interrupted one is resumed, and recipes that have steps in common
share their results. The last step's result is the recipe's, or several bundles, merged.
nsmc/config/steps.py says how a recipe is written.
"""

import dataclasses
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from nsmc.atomic import write_file
from nsmc.comparison.answers import ANSWERS_FILE
from nsmc.comparison.hardest import HARDEST_FILE
from nsmc.config.commands import relative_path
from nsmc.config.composition import composed, flags, search_path
from nsmc.config.errors import describe
from nsmc.config.overrides import as_overrides, typed_for_steps
from nsmc.config.schema import RunConfig
from nsmc.config.steps import RecipeConfig, Values, origin, with_folders, with_typed
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.extras import needs_extra
from nsmc.runs.corpus_files import corpus_name
from nsmc.runs.corpus_files import files_of as files_of_run
from nsmc.runs.foreign import files_of, recorded_data, recorded_overrides
from nsmc.runs.merged import Origin, merge_students
from nsmc.runs.prepare import prepare
from nsmc.runs.record import (
    BusyError,
    Record,
    environment,
    is_occupied,
    occupied,
    read_record,
    recorded,
    state_of,
    write_record,
)
from nsmc.runs.resume import LAST_CHECKPOINT, now, other_run
from nsmc.runs.sources import check_sources
from nsmc.runtime.bundle import CONFIG_FILE, flat, rewrite_config, whole_bundle
from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.settings import needed_settings
from nsmc.runtime.loading import read_bundle, read_config
from nsmc.runtime.morphemes import analyser_versions
from nsmc.training.model_card import model_card

log = logging.getLogger(__name__)

Launch = Callable[[Path, Sequence[str]], Record]

RESULTS = Path("outputs", "recipes")
_DEBUG_RESULTS = Path("outputs", "debug", "recipes")  # whose bundles nobody takes for the newest

_SECONDS_BETWEEN_LOOKS = 5.0

# What runs leave; a folder with one of them has a result.
_RESULTS = (Path("bundle", CONFIG_FILE), Path(SOFT_LABELS_FILE))

# What a recipe's record takes from its last step's.
_RESULTS_KEPT = (
    *("metrics", "parameters", "bundle_bytes", "train_seconds", "reviews_per_second", "epochs"),
    *("steps", "history", "corpus_fingerprint", "training_fingerprint"),
    *("tokenizer_fingerprint", "finished"),
)


def run_recipe(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str],
    launch: Launch,
) -> Record:
    """Run a recipe's steps in order; `folder` gets the last one's result, and a record of all.

    `overrides` are what the user typed. `launch` runs one step in a folder and returns its record.
    Raises ValueError for an override that would change what the recipe is about, and whatever
    `launch` raises.
    """
    assert config.recipe
    earlier = read_record(folder) or {}
    if config.resume is not None and "overrides" in earlier:  # what was typed then counts
        command = earlier.get("command", command)
        overrides = [*search_path(), *recorded_overrides(earlier)]
    typed = typed_for_steps(overrides)
    run = prepare(config, overrides)
    is_same = earlier.get("signature") == run.signature
    if not is_same and any((folder / path).exists() for path in (*_RESULTS, LAST_CHECKPOINT)):
        raise ValueError(other_run(folder, config.resume))
    if config.resume is not None:
        typed |= files_of(config.data)
    record = {
        "signature": run.signature,
        "command": command,
        "flags": flags(),
        "overrides": list(overrides),
        "config": config.model_dump(),
        "corpus_fingerprint": run.corpus_fingerprint,
        **environment(),
    }
    if is_same and "final_step_config" in earlier:  # that result is there until it is replaced
        kept = ("final_step_config", "corpus_fingerprint")
        record |= {name: earlier[name] for name in kept if name in earlier}
    folder.mkdir(parents=True, exist_ok=True)
    with occupied(folder), recorded(folder, record) as running:
        results = _DEBUG_RESULTS if config.debugging else RESULTS
        done = _run_steps(config.recipe, typed, launch, results)
        origin = Origin(corpus_name(config.data), command, run.signature)
        running |= _results(done)
        if config.recipe.merge:
            merged = [done[name] for name in config.recipe.merge]
            running |= _merge(merged, config, folder, origin)
        else:
            _adopt(list(done.values())[-1], folder, origin)
    return running


def _adopt(last: Path, folder: Path, origin: Origin) -> None:
    """Take the last step's result for the recipe's."""
    if (last / "bundle").is_dir():
        adopt_bundle(last / "bundle", folder / "bundle", origin)
    else:
        write_file(folder / SOFT_LABELS_FILE, (last / SOFT_LABELS_FILE).read_bytes())
    for name in (ANSWERS_FILE, HARDEST_FILE):
        if (last / name).is_file():
            write_file(folder / name, (last / name).read_bytes())


def _merge(steps: Sequence[Path], config: RunConfig, folder: Path, origin: Origin) -> Record:
    """Merge the steps' bundles; what the recipe's record says otherwise than the last step's."""
    records = [read_record(step) or {} for step in steps]
    theirs = records[-1]["config"]
    data = recorded_data(steps[-1], theirs).model_copy(update={"unlabelled": False})
    files = files_of_run(config.model_copy(update={"data": data}))
    parts = {name: part for name, part in files.read().items() if name in ("val", "test")}
    if not config.test:
        parts.pop("test", None)
    bundles = [step / "bundle" for step in steps]
    figures = merge_students(bundles, parts, folder, origin, Path(data.cache_dir))
    sizes = flat(read_config(folder / "bundle" / CONFIG_FILE))
    model = {key: sizes.get(key, value) for key, value in theirs["model"].items()}
    return {
        **figures,
        "final_step_config": {**theirs, "model": model},
        "train_seconds": round(sum(record["train_seconds"] for record in records), 3),
        "finished": now(),
    }


def _run_steps(
    recipe: RecipeConfig, typed: Values, launch: Launch, results: Path
) -> dict[str, Path]:
    """Run what is not done yet, in `results`; the folder of each step, by its name."""
    check_steps(recipe, typed)
    steps = recipe.values()
    done: dict[str, Path] = {}
    for number, (name, values) in enumerate(steps.items(), start=1):
        folders = {name: str(folder) for name, folder in done.items()}
        overrides = _overrides(with_folders(values, folders), typed)
        step = prepare(composed(overrides), download=True)
        folder = (results / f"{name}-{step.signature[:8]}").absolute()
        title = f"step {number} of {len(steps)}, {name}"
        if _is_done(folder):
            log.info("%s: done before, %s", title, relative_path(folder))
        else:
            log.info("%s: %s", title, relative_path(folder))
            _run_step(folder, overrides, launch)
        done[name] = folder
    return done


def _overrides(values: Values, typed: Values) -> list[str]:
    return [*search_path(), *as_overrides(with_typed(values, typed))]


def _run_step(folder: Path, overrides: Sequence[str], launch: Launch) -> None:
    """Run a step, or wait for the process that runs it for another recipe."""
    if state_of(folder) == "finished":  # but without its result, which somebody removed
        write_record(folder, {**(read_record(folder) or {}), "status": "interrupted"})
    is_waiting = False
    while not _is_done(folder):
        if not is_occupied(folder):
            with suppress(BusyError):  # another process was quicker
                launch(folder, overrides)
                return
        if not is_waiting:
            is_waiting = True
            log.info("%s: another process runs it; waiting for it", relative_path(folder))
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _is_done(folder: Path) -> bool:
    has_result = any((folder / result).is_file() for result in _RESULTS)
    return has_result and state_of(folder) == "finished"


def check_steps(recipe: RecipeConfig, typed: Values) -> None:
    """Raises ValueError, naming the step, for one that could not run: better now than in hours."""
    planned: dict[str, RunConfig] = {}
    for name, values in recipe.values().items():
        try:
            config = composed(_overrides(values, typed))
            if config.recipe:
                raise ValueError("is a recipe itself; list its steps instead")
            # Its sources still have the names of their steps.
            check_sources(config, planned)
            _check_extras(config)
        except (ValueError, OSError) as error:
            raise ValueError(f"recipe, step {name}: {describe(error)}") from None
        planned[name] = config
    _check_merged(recipe, {name: planned[name] for name in recipe.merge or ()}, typed)


def _check_merged(recipe: RecipeConfig, students: Mapping[str, RunConfig], typed: Values) -> None:
    """Raises ValueError for steps whose results could not stand side by side, or are the same."""
    steps = {name: with_typed(values, typed) for name, values in recipe.values().items()}
    first, *others = students or [""]
    for name, config in students.items():
        if config.task != "classify":
            raise ValueError(f"recipe: merge: {name} has task={config.task}; only bundles merge")
        if config.model.pooling == "attention":
            raise ValueError(f"recipe: merge: {name} has attention, which cannot be merged")
    for name in others:
        if needed := _what_differs(students[first], students[name]):
            raise ValueError(
                f"recipe: merge: {name} differs from {first} in {', '.join(needed)}; only widths "
                "and weights may"
            )
    for one, other in combinations(students, 2):
        if origin(one, steps) == origin(other, steps):
            raise ValueError(
                f"recipe: merge: {one} and {other} are the same, seed={students[one].seed} and "
                "all; give the recipe another seed"
            )


def _what_differs(one: RunConfig, other: RunConfig) -> list[str]:
    """The settings in which they differ and may not."""
    encoders = [encoder_settings(config.model.encoder()) for config in (one, other)]
    needed = needed_settings(*encoders)
    needed.pop(encoders[0].size_setting, None)
    names = [f"model.{name}" for name in needed]
    names += ["model.pooling"] if one.model.pooling != other.model.pooling else []
    return names + (["data.max_length"] if one.data.max_length != other.data.max_length else [])


def _check_extras(config: RunConfig) -> None:
    """Raises ValueError where the step needs an extra that is not installed."""
    if config.data.morphemes:
        analyser_versions()
    if config.task == "linear" and find_spec("sklearn") is None:
        raise ValueError(needs_extra("task=linear", "linear"))


def adopt_bundle(made: Path, folder: Path, origin: Origin) -> None:
    """Copy the last step's bundle; its command and its signature become the recipe's."""
    with whole_bundle(folder) as scratch:
        shutil.copytree(made, scratch, dirs_exist_ok=True)
        config = read_bundle(scratch).config
        config = dataclasses.replace(config, signature=origin.signature, command=origin.command)
        rewrite_config(scratch, config, model_card(config, origin.corpus))


def _results(done: Mapping[str, Path]) -> Record:
    """What a recipe's record takes from its steps'."""
    steps: dict[str, Record] = {}
    last: Record = {}
    for name, folder in done.items():
        last = read_record(folder) or {}
        steps[name] = {"folder": str(relative_path(folder)), "seconds": last.get("seconds")}
    return {
        "metrics": {},
        **{key: last[key] for key in _RESULTS_KEPT if key in last},
        "final_step_config": last.get("config", {}),  # the recipe's own does not say it
        "seconds": round(sum(step["seconds"] or 0.0 for step in steps.values()), 3),
        "recipe": steps,
    }
