"""What a trial's bundle costs: its size, and the time of one review."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nsmc.config.schema import RunConfig
from nsmc.config.search import SearchConfig
from nsmc.runs.record import Record, read_record, write_record
from nsmc.runs.review_rows import rows_of
from nsmc.runtime.timing import microseconds
from nsmc.small_files import read_json
from nsmc.sweeps.dry_run import parameter_count

COSTS = ("megabytes", "microseconds")

_REVIEWS = 200  # that are timed, the same ones for all trials of a corpus
_BYTES = 4  # of a parameter


def costs_of(folder: Path, record: Record, search: SearchConfig) -> dict[str, float]:
    """The megabytes and, if the search wants them, the microseconds of a finished run.

    The time is measured once, and kept in the run's record. Raises ValueError where it cannot be,
    and OSError or ValueError where the corpus is not there any more.
    """
    costs = {}
    if "bundle_bytes" in record:  # a linear classifier has no bundle
        costs["megabytes"] = record["bundle_bytes"] / 1e6
    if search.max_microseconds is not None or "time" in (search.objectives or ()):
        if "microseconds" not in record:
            texts = _texts(folder, record["corpus_fingerprint"])
            record["microseconds"] = round(microseconds(folder / "bundle", texts), 1)
            write_record(folder, record)
        costs["microseconds"] = record["microseconds"]
    return costs


@cache
def _texts(folder: Path, corpus: str) -> list[str]:
    """Reviews of the file that the validation part is from, spread over it."""
    rows = [*rows_of(folder, read_record(folder) or {}, "val").values()]
    return [row.text for row in rows[:: max(1, len(rows) // _REVIEWS)]][:_REVIEWS]


def least_megabytes(config: RunConfig, sweep_folder: Path) -> float:
    """The least that a run's bundle can have, by what is known before it is trained.

    A small corpus may not fill the vocabulary. How many tokens it has at least, earlier bundles of
    the sweep say; without any it is 0.
    """
    tokens = max((_tokens(path, config) for path in sweep_folder.glob("*/bundle")), default=0)
    return parameter_count(config, tokens) * _BYTES / 1e6 if tokens else 0.0


def _tokens(bundle: Path, config: RunConfig) -> int:
    """How many of the vocabulary that is wanted a bundle of the same reviews says there are."""
    data = (read_record(bundle.parent) or {}).get("config", {}).get("data")
    try:
        made = read_json(bundle / "config.json")["vocab_size"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    wanted = config.data.model_dump()
    is_alike = isinstance(data, Mapping) and _but_size(data) == _but_size(wanted)
    return min(made, wanted["vocab_size"]) if is_alike and type(made) is int else 0


def _but_size(data: Mapping[str, Any]) -> dict[str, Any]:
    return {**data, "vocab_size": None}
