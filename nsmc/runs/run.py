"""Runs a job, then prints its results, or how to continue it."""

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as L
import torch

from nsmc.config.commands import relative_path, train_words
from nsmc.config.composition import flags
from nsmc.config.overrides import quoted
from nsmc.config.schema import RunConfig
from nsmc.runs.choices import command_to_go_on
from nsmc.runs.job import run_job
from nsmc.runs.next_commands import next_commands
from nsmc.runs.own_classes import how_to_start_over, why_not_resumable
from nsmc.runs.processes import check_started, is_first
from nsmc.runs.recipe import run_recipe
from nsmc.runs.record import (
    BusyError,
    Record,
    is_occupied,
    read_record,
    write_record,
)
from nsmc.runtime.bundle import WEIGHTS_FILE
from nsmc.termination import exception_arrived
from nsmc.training.meeting import ProcessLostError
from nsmc.training.signals import Interrupted, Pruned
from nsmc.training.slurm import ASKED_BY_PARENT

log = logging.getLogger(__name__)

BUSY = 75  # the exit code that sysexits.h has for what is worth another try later

_ROWS = {"accuracy": "accuracy", "macro F1": "macro_f1", "F1": "f1", "loss": "loss"}  # by title


def run_and_report(
    config: RunConfig,
    folder: Path,
    command: str,
    overrides: Sequence[str],
    is_sweep: bool,
    callbacks: Sequence[L.Callback] = (),
) -> dict[str, float]:
    """Run a job; returns its final metrics: none where it was pruned or another process runs it.

    Raises what `run_job` raises.
    """
    check_started(config)
    try:
        if config.recipe:
            record = run_recipe(config, folder, command, overrides, run_in_subprocess)
            print(summary(record, folder / "bundle"), flush=True)
        elif is_sweep and config.trainer.processes > 1:
            record = run_in_subprocess(folder, overrides)
        else:
            record = run_job(config, folder, command, overrides, callbacks)
            if is_first(config.trainer):
                print(summary(record, folder / "bundle"), flush=True)
    except Pruned as pruned:
        log.info("%s", pruned)
        return {}
    except BusyError as busy:
        if ASKED_BY_PARENT in os.environ:  # which says what it does now
            sys.exit(BUSY)
        if not is_sweep:
            raise
        log.info("%s: left to it", busy)
        return {}
    except (KeyboardInterrupt, Interrupted) as error:
        if not is_first(config.trainer):  # the first process says it and has the exit code
            sys.exit(0)
        signum = error.signum if isinstance(error, Interrupted) else signal.SIGINT
        raise Interrupted(signum, _how_to_go_on(config, folder, overrides)) from None
    except ProcessLostError as error:
        how = _how_to_go_on(config, folder, overrides)
        raise ProcessLostError(f"{error}; then {how}") from error
    finally:
        gc.collect()  # a failed job's tensors would be missing for the next one's
        torch.cuda.empty_cache()
    if not is_sweep and is_first(config.trainer):
        print(next_commands(config, record, folder), flush=True)
    metrics: dict[str, float] = record["metrics"]
    return metrics


def _how_to_go_on(config: RunConfig, folder: Path, overrides: Sequence[str]) -> str:
    if not config.recipe and (reason := why_not_resumable(config)):
        return f"{reason}: {how_to_start_over(folder)}"
    name = str(relative_path(folder))
    return f"go on with {command_to_go_on(name, config.model_dump(), overrides, flags())}"


def run_in_subprocess(folder: Path, overrides: Sequence[str]) -> Record:
    """Run a sweep's job, or a recipe's step, as a command of its own.

    Lightning starts several processes with the command line of the first one, which must be that of
    the job and not of the sweep. Raises ValueError where the job failed, and BusyError where
    another process is at work on it.
    """
    own = [override for override in overrides if not override.startswith("sweep.")]
    own_folder = f"hydra.run.dir={quoted(str(folder))}"
    environment = {**os.environ, ASKED_BY_PARENT: "1"}
    command = [*train_words(), *flags(), *own, own_folder]
    process = subprocess.Popen(command, env=environment)
    try:
        code = process.wait()
    except BaseException:
        exception_arrived()  # the waiting may take long
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    if code > 128:
        raise Interrupted(code - 128)
    # The record is the other process's, which may have ended meanwhile.
    if code == BUSY or (code != 0 and is_occupied(folder)):
        raise BusyError(f"{folder}: another process is at work on this run")
    record = read_record(folder) or {}
    if record.get("status") == "pruned":
        raise Pruned("pruned")
    if code != 0 or record.get("status") != "finished":
        error = record.get("error") or f"{relative_path(folder)}: ended with code {code}, see above"
        write_record(folder, {**record, "status": "failed", "error": error})
        raise ValueError(error)
    return record


def summary(record: Record, bundle: Path) -> str:
    """The table: metrics by split, then size and speed."""
    metrics = record["metrics"]
    if not metrics:  # of trainer.fast_dev_run
        return f"\neach stage was tried; the record is in {relative_path(bundle.parent)}"
    splits = {"val": "validation", "test": "test"}
    splits = {split: title for split, title in splits.items() if f"{split}/loss" in metrics}
    lines = ["", " " * 10 + "".join(f"{title:>12}" for title in splits.values())]
    for title, name in _ROWS.items():
        if any(f"{split}/{name}" in metrics for split in splits):  # a language model: a loss alone
            cells = "".join(f"{metrics[f'{split}/{name}']:>12.4f}" for split in splits)
            lines.append(f"{title:<10}{cells}")
    lines += [
        "",
        f"{'seconds':<12}{record['seconds']:,.1f} in all, {record['train_seconds']:,.1f} training "
        f"({record['reviews_per_second']:,.0f} reviews/s)",
        f"{'parameters':<12}{record['parameters']:,}",
    ]
    if bundle.is_dir():  # a linear classifier makes none
        size = sum(path.stat().st_size for path in bundle.iterdir())
        weights = (bundle / WEIGHTS_FILE).stat().st_size
        lines.append(f"{'bundle':<12}{size / 1e6:.2f} MB (weights {weights / 1e6:.2f} MB)")
    return "\n".join([*lines, f"{'folder':<12}{relative_path(bundle.parent)}"])
