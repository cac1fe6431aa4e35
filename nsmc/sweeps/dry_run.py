"""`sweep.dry_run=true`: a sweep's plan as a table, and how long it will take by earlier runs."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nsmc.config.schema import RunConfig
from nsmc.runs.record import RECORD_FILE, read_record
from nsmc.runtime.bundle import BundleConfig, expected_shapes
from nsmc.runtime.encoders import ENCODERS, encoder_settings
from nsmc.runtime.encoders.settings import own_settings
from nsmc.sweeps.plan import Job, shared_overrides
from nsmc.terminal import ellipsize

# In the order in which they are counted, with what will be done about them.
_STATES = {
    "new": "new",
    "interrupted": "to resume",
    "failed": "failed before, to try again",
    "pruned": "pruned",
    "running": "running elsewhere",
    "finished": "finished",
    "refused": "refused",
}
_WIDEST = 60  # characters of a job's settings in a table

# What decides how much work an epoch is.
_MODEL = ("architecture", "embedding_dim", "pooling")  # and the architecture's own settings
_DATA = ("batch_size", "max_length", "padding", "bucketing", "validation_fraction", "vocab_size")
_TRAINER = ("accelerator", "devices", "num_nodes", "precision", "limit_train_batches")

Seconds = dict[str, list[tuple[float, float]]]  # by shape: of an epoch, and of all else


def counts(jobs: Sequence[Job]) -> str:
    """Such as "12 jobs: 8 new, 4 finished"."""
    per_state = Counter(job.state for job in jobs)
    parts = [f"{per_state[state]} {words}" for state, words in _STATES.items() if per_state[state]]
    return f"{len(jobs)} job{'s' * (len(jobs) != 1)}: {', '.join(parts)}"


def plan_table(jobs: Sequence[Job], sweep_folder: Path) -> str:
    """The plan: each job's settings, state, parameters, and an estimate of its time."""
    seconds_known = seconds_by_shape(sweep_folder.parent.parent)
    rows, estimates = [("job", "state", "parameters", "time")], []
    shared = shared_overrides([job.overrides for job in jobs])
    for job in jobs:
        parameters = time = ""
        if job.config is not None:
            parameters = f"{parameter_count(job.config):,}"
            seconds = estimate(job.config, job.corpus, seconds_known)
            if job.is_to_run:
                estimates.append(seconds)
                time = "unknown" if seconds is None else f"about {in_words(seconds)}"
        own = " ".join(override for override in job.overrides if override not in shared)
        rows.append((ellipsize(own, _WIDEST), _STATES[job.state], parameters, time))
    known = [seconds for seconds in estimates if seconds is not None]
    unknown = len(estimates) - len(known)
    without = f", without {unknown} of a shape that no earlier run had" if unknown else ""
    lines = [*_aligned(rows), "", counts(jobs)]
    lines += [f"  {job.folder.name}: {job.error}" for job in jobs if job.error]
    lines.append(f"time of the jobs to run, one after the other: {in_words(sum(known))}{without}")
    return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def seconds_by_shape(outputs: Path) -> Seconds:
    """What the finished runs under an outputs folder took."""
    by_shape: Seconds = defaultdict(list)
    for path in [
        *outputs.glob(f"runs/*/{RECORD_FILE}"),
        *outputs.glob(f"sweeps/*/*/{RECORD_FILE}"),
    ]:
        record = read_record(path.parent) or {}
        if "recipe" in record:  # its seconds are those of several runs
            continue
        with suppress(KeyError, TypeError, ZeroDivisionError):  # a damaged record
            training = record["train_seconds"]
            seconds = (training / record["epochs"], record["seconds"] - training)
            by_shape[_shape(record["config"], record["corpus_fingerprint"])].append(seconds)
    return by_shape


def estimate(config: RunConfig, corpus: str, by_shape: Seconds) -> float | None:
    """Seconds that a run of all its epochs takes; None without a run like it."""
    is_endless = config.trainer.max_epochs == -1
    if config.recipe or config.task == "linear" or is_endless:  # not what the network decides
        return None
    runs = by_shape.get(_shape(config.model_dump(), corpus))
    if not runs:
        return None
    epoch, rest = (statistics.median(part) for part in zip(*runs, strict=True))
    return epoch * config.trainer.max_epochs + rest


def _shape(config: Mapping[str, Any], corpus: str) -> str:
    own = own_settings(ENCODERS[config["model"]["architecture"]])
    sections = {"model": (*_MODEL, *own), "data": _DATA, "trainer": _TRAINER}
    values = [config[section][key] for section, keys in sections.items() for key in keys]
    return repr([corpus, *values])


def parameter_count(config: RunConfig, tokens: int | None = None) -> int:
    """The parameters of the model with so many tokens, by default with as many as are wanted.

    A small corpus may fill less of the vocabulary.
    """
    model = config.model
    bundle = BundleConfig(
        encoder=encoder_settings(model.encoder()),
        vocab_size=config.data.vocab_size if tokens is None else tokens,
        embedding_dim=model.embedding_dim,
        pooling=model.pooling,
        pad_id=0,
        max_length=config.data.max_length,
        labels=tuple(config.data.labels or ("", "")),  # or as many as the corpus turns out to have
        signature="",
    )
    return sum(math.prod(shape) for shape in expected_shapes(bundle).values())


def in_words(seconds: float) -> str:
    """Such as 45 s, 12 min or 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
