"""What a sweep says before it begins: its plan."""

from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path

from nsmc.sweeps.estimate import (
    estimate,
    in_words,
    parameter_count,
    seconds_by_shape,
    total,
)
from nsmc.sweeps.plan import Job, shared_overrides

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


def counts(jobs: Sequence[Job]) -> str:
    """Such as "12 jobs: 8 new, 4 finished"."""
    found = Counter(job.state for job in jobs)
    parts = [f"{found[state]} {words}" for state, words in _STATES.items() if found[state]]
    return f"{len(jobs)} job{'s' * (len(jobs) != 1)}: {', '.join(parts)}"


def plan_table(jobs: Sequence[Job], sweep_folder: Path) -> str:
    """The plan: each job's settings, state, parameters, and an estimate of its time."""
    known = seconds_by_shape(sweep_folder.parent.parent)
    rows, estimates = [("job", "state", "parameters", "time")], []
    shared = shared_overrides([job.overrides for job in jobs])
    for job in jobs:
        parameters = time = ""
        if job.config is not None:
            parameters = f"{parameter_count(job.config):,}"
            seconds = estimate(job.config, job.corpus, known)
            if job.is_to_run:
                estimates.append(seconds)
                time = "unknown" if seconds is None else f"about {in_words(seconds)}"
        rows.append((settings(job, shared), _STATES[job.state], parameters, time))
    sum_, unknown = total(estimates)
    without = f", without {unknown} of a shape that no earlier run had" if unknown else ""
    lines = [*_aligned(rows), "", counts(jobs)]
    lines += [f"  {job.folder.name}: {job.error}" for job in jobs if job.error]
    lines.append(f"time of the jobs to run, one after the other: {in_words(sum_)}{without}")
    return "\n".join(lines)


def settings(job: Job, shared: Container[str] = ()) -> str:
    """The overrides that are not shared by all jobs, as far as they fit into a table."""
    text = " ".join(override for override in job.overrides if override not in shared)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
