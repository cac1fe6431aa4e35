"""What a user wrote about runs, `tags=[…]` and `notes=…`: to choose by, and to read."""

import json
from collections.abc import Iterable, Sequence

from nsmc.reports.records import Run

_MOST = 30  # runs whose remarks are listed


def tagged(runs: Iterable[Run], tags: Sequence[str]) -> list[Run]:
    """The runs that have each of the tags. Raises ValueError where none has."""
    runs = list(runs)
    chosen = [run for run in runs if {*tags} <= {*tags_of(run)}]
    if tags and not chosen:
        known = sorted({tag for run in runs for tag in tags_of(run)})
        there = f"the runs have {', '.join(known)}" if known else "no run has any"
        raise ValueError(f"--tag {' --tag '.join(tags)}: no such run; {there}")
    return chosen


def without_tries(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs to report on, and what is to be said of those left out.

    Runs that only tried something stand beside no others; where there are no others, they are what
    the report is about.
    """
    kept = [run for run in runs if not run.is_try]
    left_out = len(runs) - len(kept)
    if not left_out:
        return kept, []
    if not kept:
        return list(runs), ["all of these are debug runs"]
    word = "run" if left_out == 1 else "runs"
    return kept, [
        f"{left_out:,} debug {word} left out (debug=…, trainer.fast_dev_run, overfit_batches)"
    ]


def remarks(runs: Sequence[Run]) -> list[str]:
    """A line for each run with tags or notes, of the first ones."""
    lines = [f"{run.name}: {about}" for run in runs if (about := _about(run))]
    more = len(lines) - _MOST
    return [*lines[:_MOST], *([f"… and {more:,} more runs with notes"] if more > 0 else [])]


def _about(run: Run) -> str:
    notes = str(run.config.get("notes", "null"))
    tags = ", ".join(tags_of(run))
    return " ".join(filter(None, [f"[{tags}]" if tags else "", "" if notes == "null" else notes]))


def tags_of(run: Run) -> list[str]:
    try:
        tags = json.loads(str(run.config.get("tags", "[]")))
    except ValueError:  # cut short, or not ours
        return []
    return [str(tag) for tag in tags] if isinstance(tags, list) else []
