"""A recipe: runs that build on each other, such as encoder, teachers, student, by one command.

Each step is a run of `train.py` of its own, in a folder that is named by the run's signature. So a
step whose result is there is skipped, one that was interrupted goes on, and recipes that have steps
in common share their results. What the last step gives is the recipe's result.
"""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from omegaconf import OmegaConf

from nsmc.experiments.build import fetch_unlabelled_reviews
from nsmc.experiments.overrides import overridden_keys, quoted
from nsmc.experiments.record import environment, occupied, read_record, recorded, state_of
from nsmc.experiments.schema import RunConfig, StepConfig, check_config
from nsmc.experiments.signature import corpus_fingerprint, signature
from nsmc.experiments.summary import shortened

log = logging.getLogger(__name__)

Record = dict[str, Any]
Compose = Callable[[Sequence[str]], RunConfig]
Launch = Callable[[Path, Sequence[str]], Record]

RESULTS = Path("outputs", "recipes")

# What a user may set for all steps; the rest is what the recipe is about.
_FREE = ("data", "trainer", "callbacks", "logger", "seed", "test")
_OF_THE_COMMAND = ("experiment", "sweep", "hydra", "resume", "search")

# What a recipe's record has of its last step's.
_RESULTS_KEPT = (
    *("metrics", "parameters", "bundle_bytes", "train_seconds", "reviews_per_second", "epochs"),
    *("steps", "history", "corpus_fingerprint", "tokenizer_fingerprint"),
)


def composed(overrides: Sequence[str]) -> RunConfig:
    """What `train.py` with these overrides would run; raises ValueError where that is wrong."""
    values: Any = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    return check_config(values)


def run_recipe(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str],
    launch: Launch,
    compose_step: Compose = composed,
) -> Record:
    """Run a recipe's steps in order; `folder` gets the last one's bundle and a record of all.

    `overrides` are what the user typed. `launch` runs one step in a folder and returns its record.
    Raises ValueError for an override that would change what the recipe is about, and whatever
    `launch` raises.
    """
    assert config.recipe
    own = free_overrides(overrides)
    record = {
        "signature": signature(config, corpus_fingerprint(config.data)),
        "command": command,
        "overrides": list(overrides),
        "config": config.model_dump(),
        **environment(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with occupied(folder), recorded(folder, record) as running:
        done: dict[str, Path] = {}
        for number, step in enumerate(config.recipe, start=1):
            of_step = step_overrides(step, own, done)
            step_config = compose_step(of_step)
            fetch_unlabelled_reviews(step_config)
            key = signature(step_config, corpus_fingerprint(step_config.data))
            place = (RESULTS / f"{step.name}-{key[:8]}").absolute()
            title = f"step {number} of {len(config.recipe)}, {step.name}"
            last = _run_step(title, place, of_step, launch)
            done[step.name] = place
        bundle = folder / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        if (place / "bundle").is_dir():
            shutil.copytree(place / "bundle", bundle)
        records = {name: read_record(each) or {} for name, each in done.items()}
        seconds = sum(each.get("seconds", 0.0) for each in records.values())
        running |= {key: last[key] for key in _RESULTS_KEPT if key in last}
        running |= {"seconds": round(seconds, 3), "finished": last.get("finished")}
        running["recipe"] = {
            name: {"folder": str(shortened(each)), "seconds": records[name].get("seconds")}
            for name, each in done.items()
        }
    return running


def free_overrides(overrides: Sequence[str]) -> list[str]:
    """Those of the user's overrides that go to every step.

    Raises ValueError for one that only a change of the recipe could mean.
    """
    found = []
    for override, key in zip(overrides, overridden_keys(overrides), strict=True):
        section = key.split(".")[0].split("/")[0]
        if section in _OF_THE_COMMAND:
            continue
        if section not in _FREE:
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
        *(filled(override) for override in step.overrides),
        *own,
        *(filled(override) for override in step.pinned),
    ]


def _run_step(title: str, place: Path, overrides: Sequence[str], launch: Launch) -> Record:
    if state_of(place) == "finished":
        log.info("%s: done before, %s", title, shortened(place))
        return read_record(place) or {}
    log.info("%s: %s", title, shortened(place))
    return launch(place, overrides)
