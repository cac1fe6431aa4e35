"""A recipe: runs that build on each other, such as encoder, teachers, student, by one command.

Each step is a run of `train.py` of its own, in a folder that is named by the run's signature. So a
step whose result is there is skipped, one that was interrupted goes on, and recipes that have steps
in common share their results. What the last step gives is the recipe's result.
"""

import dataclasses
import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from nsmc.atomic import write_file
from nsmc.config.commands import shortened
from nsmc.config.composition import SEARCH_PATH, composed, flags, search_path
from nsmc.config.errors import describe
from nsmc.config.overrides import overridden_keys, quoted, readable
from nsmc.config.schema import RunConfig, StepConfig, check_config
from nsmc.data.soft_labels import SOFT_LABELS_FILE
from nsmc.runs.build import CHECKPOINTS, corpus_name, fetch_unlabelled_reviews
from nsmc.runs.continuation import other_run
from nsmc.runs.foreign import recorded_overrides, with_files_of
from nsmc.runs.leakage import check_planned
from nsmc.runs.record import (
    BusyError,
    environment,
    is_occupied,
    occupied,
    read_record,
    recorded,
    state_of,
    write_record,
)
from nsmc.runs.signature import corpus_fingerprint, signature
from nsmc.runs.sources import check_sources
from nsmc.runtime.bundle import CONFIG_FILE, rewrite_config, whole_bundle
from nsmc.runtime.loading import read_bundle
from nsmc.training.checkpoints import LAST
from nsmc.training.model_card import model_card

log = logging.getLogger(__name__)

Record = dict[str, Any]
Compose = Callable[[Sequence[str]], RunConfig]
Launch = Callable[[Path, Sequence[str]], Record]

RESULTS = Path("outputs", "recipes")

# What a user may set for all steps; the rest is what the recipe is about.
_FREE = ("data", "trainer", "callbacks", "logger", "seed", "test")
_OF_THE_COMMAND = ("experiment", "sweep", "hydra", "resume", "search")

# A step's name in another one's overrides: {encoder}.
_REFERENCE = re.compile(r"\{([\w-]+)\}")

_SECONDS_BETWEEN_LOOKS = 5.0

# What a run leaves, by its kind; a folder with one of them has a result.
_RESULTS = (Path("bundle", CONFIG_FILE), Path(SOFT_LABELS_FILE))

_LAST_CHECKPOINT = Path(CHECKPOINTS, LAST)

# What a recipe's record has of its last step's.
_RESULTS_KEPT = (
    *("metrics", "parameters", "bundle_bytes", "train_seconds", "reviews_per_second", "epochs"),
    *("steps", "history", "corpus_fingerprint", "tokenizer_fingerprint", "finished"),
)


def composed_step(overrides: Sequence[str]) -> RunConfig:
    """What `train.py` with these overrides would run; raises ValueError where that is wrong."""
    return check_config(composed(overrides))


def run_recipe(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str],
    launch: Launch,
    compose_step: Compose = composed_step,
) -> Record:
    """Run a recipe's steps in order; `folder` gets the last one's bundle, or its soft labels, and a
    record of all.

    `overrides` are what the user typed. `launch` runs one step in a folder and returns its record.
    Raises ValueError for an override that would change what the recipe is about, and whatever
    `launch` raises.
    """
    assert config.recipe
    fingerprint = corpus_fingerprint(config.data, config.test)
    earlier = read_record(folder) or {}
    if config.resume is not None and "overrides" in earlier:  # what was typed then counts
        command = earlier.get("command", command)
        overrides = [*search_path(), *recorded_overrides(earlier)]
    key = signature(config, fingerprint, overrides=overrides)
    is_same = earlier.get("signature") == key
    if not is_same and any((folder / each).exists() for each in (*_RESULTS, _LAST_CHECKPOINT)):
        raise ValueError(other_run(folder, config.resume))
    own = free_overrides(overrides)
    if config.resume is not None:
        own = with_files_of(config.data, own)
    record = {
        "signature": key,
        "command": command,
        "flags": flags(),
        "overrides": list(overrides),
        "config": config.model_dump(),
        "corpus_fingerprint": fingerprint,
        **environment(),
    }
    if is_same and "made_by" in earlier:  # the result of then is there until it is replaced
        kept = ("made_by", "corpus_fingerprint")
        record |= {name: earlier[name] for name in kept if name in earlier}
    folder.mkdir(parents=True, exist_ok=True)
    with occupied(folder), recorded(folder, record) as running:
        done = _run_steps(config.recipe, own, launch, compose_step)
        last = list(done.values())[-1]
        if (last / "bundle").is_dir():
            corpus = corpus_name(config.data)
            adopt_bundle(last / "bundle", folder / "bundle", command, key, corpus)
        else:
            adopt_soft_labels(last, folder)
        running |= _results(done)
    return running


def _run_steps(
    steps: Sequence[StepConfig], own: Sequence[str], launch: Launch, compose_step: Compose
) -> dict[str, Path]:
    """Run what is not done yet; the folder of each step, by its name."""
    check_steps(steps, own, compose_step)
    done: dict[str, Path] = {}
    for number, step in enumerate(steps, start=1):
        overrides = step_overrides(step, own, done)
        config = compose_step(overrides)
        fetch_unlabelled_reviews(config)  # the signature is that of their content
        place = _place(step.name, config)
        title = f"step {number} of {len(steps)}, {step.name}"
        if _is_done(place):
            log.info("%s: done before, %s", title, shortened(place))
        else:
            log.info("%s: %s", title, shortened(place))
            _run_step(place, overrides, launch)
        done[step.name] = place
    return done


def _run_step(place: Path, overrides: Sequence[str], launch: Launch) -> None:
    """Run a step, or wait for the process that runs it for another recipe."""
    if state_of(place) == "finished":  # but without its result, which somebody removed
        write_record(place, {**(read_record(place) or {}), "status": "interrupted"})
    is_waiting = False
    while not _is_done(place):
        if not is_occupied(place):
            with suppress(BusyError):  # another process was quicker
                launch(place, overrides)
                return
        if not is_waiting:
            is_waiting = True
            log.info("%s: another process runs it; waiting for it", shortened(place))
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _is_done(place: Path) -> bool:
    return state_of(place) == "finished" and any((place / result).is_file() for result in _RESULTS)


def check_steps(steps: Sequence[StepConfig], own: Sequence[str], compose_step: Compose) -> None:
    """Raises ValueError, naming the step, for one that could not run: better now than in hours."""
    planned: dict[str, RunConfig] = {}
    for step in steps:
        title = f"recipe, step {step.name}"
        if step.name in planned:
            raise ValueError(f"{title}: there are two of this name; give each its own")
        for override in (*step.overrides, *step.pinned):
            for name in _REFERENCE.findall(override):
                if name not in planned:
                    known = ", ".join(planned) or "none"
                    raise ValueError(
                        f"{title}: {override}: {name} is no earlier step (these are: {known})"
                    )
        try:
            config = _composed_ahead(step, own, planned, compose_step)
        except (ValueError, OSError, HydraException, OmegaConfBaseException) as error:
            raise ValueError(f"{title}: {describe(error)}") from None
        if config.recipe:
            raise ValueError(f"{title}: is a recipe itself; list its steps instead")
        planned[step.name] = config


def _composed_ahead(
    step: StepConfig, own: Sequence[str], planned: Mapping[str, RunConfig], compose_step: Compose
) -> RunConfig:
    """A step's configuration, checked against those of the steps that it builds on."""
    # What a step that has not run yet is called, in place of its folder.
    names = {name: Path(f"{{{name}}}") for name in planned}
    config = compose_step(step_overrides(step, own, names))
    earlier = {str(names[name]): theirs for name, theirs in planned.items()}
    check_sources(config, earlier)
    check_planned(config, earlier)
    return config


def adopt_bundle(made: Path, folder: Path, command: str, key: str, corpus: str) -> None:
    """Copy the last step's bundle; its card and its signature become the recipe's."""
    with whole_bundle(folder) as scratch:
        shutil.copytree(made, scratch, dirs_exist_ok=True)
        config = dataclasses.replace(read_bundle(scratch).config, signature=key)
        rewrite_config(scratch, config, model_card(config, command, corpus))


def adopt_soft_labels(step: Path, folder: Path) -> None:
    """Copy the last step's soft labels, whole or not at all."""
    write_file(folder / SOFT_LABELS_FILE, (step / SOFT_LABELS_FILE).read_bytes())


def _results(done: Mapping[str, Path]) -> Record:
    """What a recipe's record has of its steps'."""
    records = {name: read_record(place) or {} for name, place in done.items()}
    last = records[list(done)[-1]]
    steps = {
        name: {"folder": str(shortened(place)), "seconds": records[name].get("seconds")}
        for name, place in done.items()
    }
    seconds = sum(record.get("seconds", 0.0) for record in records.values())
    kept = {key: last[key] for key in _RESULTS_KEPT if key in last}
    return {
        "metrics": {},
        **kept,
        "made_by": last.get("config", {}),  # what the recipe's own configuration does not say
        "seconds": round(seconds, 3),
        "recipe": steps,
    }


def _place(name: str, config: RunConfig) -> Path:
    key = signature(config, corpus_fingerprint(config.data, config.test))
    return (RESULTS / f"{name}-{key[:8]}").absolute()


def free_overrides(overrides: Sequence[str]) -> list[str]:
    """Those of the user's overrides that go to every step.

    Raises ValueError for one that only a change of the recipe could mean.
    """
    found = []
    for override, key in zip(overrides, overridden_keys(overrides), strict=True):
        section = key.split(".")[0].split("/")[0]
        if section in _OF_THE_COMMAND and key != SEARCH_PATH:
            continue
        if section not in _FREE and key != SEARCH_PATH:
            raise ValueError(
                f"{override}: a recipe's steps have their own; change them in a copy of its file "
                f"under configs/experiment (free are {', '.join(_FREE)})"
            )
        found.append(override)
    return found


def step_overrides(step: StepConfig, own: Sequence[str], done: Mapping[str, Path]) -> list[str]:
    """A step's overrides, the user's, and those the user cannot change, in this order.

    `{name}` in a step's stands for the folder of an earlier step.
    """

    def filled(text: str) -> str:
        for name, place in done.items():
            text = text.replace(f"{{{name}}}", quoted(str(place)))
        return text

    return [
        *(readable(filled(override)) for override in step.overrides),
        *own,
        *(readable(filled(override)) for override in step.pinned),
    ]
