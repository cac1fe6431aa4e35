"""A recipe: runs that build on each other, such as encoder, teachers, student, by one command.

Each step is a run of its own, in a folder that is named by the run's signature. So a step whose
result is there is skipped, an interrupted one is resumed, and recipes that have steps in common
share their results. The recipe's result is the last step's, or the bundles of several, merged.
nsmc/config/steps.py says how a recipe is written.
"""

import dataclasses
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from nsmc.atomic import write_file
from nsmc.comparison.answers import ANSWERS_FILE
from nsmc.comparison.hardest import HARDEST_FILE
from nsmc.config.commands import relative_path
from nsmc.config.composition import composed, flags, search_path
from nsmc.config.overrides import typed_for_steps
from nsmc.config.schema import RunConfig
from nsmc.config.steps import RecipeConfig, Values, with_folders
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.runs.corpus_files import corpus_name, files_of
from nsmc.runs.foreign import recorded_files, recorded_overrides
from nsmc.runs.merged import Origin, merge_students
from nsmc.runs.prepare import prepare
from nsmc.runs.recipe_checks import check_steps, step_overrides
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
from nsmc.runtime.bundle import CONFIG_FILE, flat, rewrite_config, whole_bundle
from nsmc.runtime.loading import read_bundle, read_config
from nsmc.training.model_card import model_card

log = logging.getLogger(__name__)

Launch = Callable[[Path, Sequence[str]], Record]

RESULTS = Path("outputs", "recipes")
_DEBUG_RESULTS = Path("outputs", "debug", "recipes")  # whose bundles nobody takes for the newest

_SECONDS_BETWEEN_LOOKS = 5.0

# What runs leave; a folder with one of them has a result.
_RESULTS = (Path("bundle", CONFIG_FILE), Path(SOFT_LABELS_FILE))

# What a recipe's record takes from that of the step whose result it has.
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
    """Run a recipe's steps in order; `folder` gets what they end in, and a record of all.

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
        typed |= recorded_files(config.data)
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
        if config.recipe.merge:
            running |= _merge(config, done, typed, folder, origin)
        else:
            last = list(done.values())[-1]
            _adopt(last, folder, origin)
            running |= _results(last, done)
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


def _merge(
    config: RunConfig, done: Mapping[str, Path], typed: Values, folder: Path, origin: Origin
) -> Record:
    """Merge the steps' bundles; the recipe's record, in which the first of them stands for all."""
    assert config.recipe and config.recipe.merge
    names, started = config.recipe.merge, time.perf_counter()
    # Which reviews were held out is the step's; where the corpus is now, what was typed says.
    values = with_folders(
        config.recipe.values()[names[0]], {name: str(path) for name, path in done.items()}
    )
    step = composed(step_overrides(values, typed))
    data = step.data.model_copy(update={"unlabelled": False})
    files = files_of(step.model_copy(update={"data": data, "test": config.test}))
    parts = {name: part for name, part in files.read().items() if name in ("val", "test")}
    if not config.test:
        parts.pop("test", None)
    bundles = [done[name] / "bundle" for name in names]
    figures = merge_students(bundles, parts, folder, origin, Path(data.cache_dir))
    records = [read_record(done[name]) or {} for name in names]
    results = _results(done[names[0]], done)
    for of_one_network in ("history", "epochs", "steps"):
        results.pop(of_one_network, None)
    sizes = flat(read_config(folder / "bundle" / CONFIG_FILE))
    theirs = results["final_step_config"]
    model = {key: sizes.get(key, value) for key, value in theirs["model"].items()}
    seconds = [record["train_seconds"] for record in records]
    reviews = sum(record["reviews_per_second"] * record["train_seconds"] for record in records)
    return {
        **results,
        **figures,
        "final_step_config": {
            **theirs,
            "data": step.data.model_dump(),  # where it is now
            "model": model,
            "test": config.test,
        },
        "seconds": round(results["seconds"] + time.perf_counter() - started, 3),
        "train_seconds": round(sum(seconds), 3),
        "reviews_per_second": round(reviews / max(sum(seconds), 1e-9), 1),
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
        overrides = step_overrides(with_folders(values, folders), typed)
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


def adopt_bundle(made: Path, folder: Path, origin: Origin) -> None:
    """Copy the last step's bundle; its command and its signature become the recipe's."""
    with whole_bundle(folder) as scratch:
        shutil.copytree(made, scratch, dirs_exist_ok=True)
        config = read_bundle(scratch).config
        config = dataclasses.replace(config, signature=origin.signature, command=origin.command)
        rewrite_config(scratch, config, model_card(config, origin.corpus))


def _results(chosen: Path, done: Mapping[str, Path]) -> Record:
    """What a recipe's record takes from its steps': from the `chosen` one, and from all."""
    record = read_record(chosen) or {}
    steps: dict[str, Record] = {}
    for name, folder in done.items():
        seconds = (read_record(folder) or {}).get("seconds")
        steps[name] = {"folder": str(relative_path(folder)), "seconds": seconds}
    return {
        "metrics": {},
        **{key: record[key] for key in _RESULTS_KEPT if key in record},
        "final_step_config": record.get("config", {}),  # the recipe's own does not say it
        "seconds": round(sum(step["seconds"] or 0.0 for step in steps.values()), 3),
        "recipe": steps,
    }
