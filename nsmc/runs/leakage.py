"""No run is chosen by reviews that its initial weights or its teachers have learnt from.

The record beside a bundle tells what its run held out. A bundle without one, and a file of soft
labels, are taken at the user's word.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nsmc.config.schema import DataConfig, RunConfig
from nsmc.data.soft_labels import SOFT_LABELS_FILE
from nsmc.runs.corpus_files import is_tested_on_itself, training_fingerprint
from nsmc.runs.record import RECORD_FILE, final_step_config, read_record
from nsmc.runtime.locate import bundle_folder

log = logging.getLogger(__name__)

_SPLIT = ("validation_fraction", "split_seed")


def check_held_out(config: RunConfig, corpus_fingerprint: str) -> None:
    """Raises ValueError for a source that held out another part of the same corpus."""
    same = {corpus_fingerprint, training_fingerprint(config.data)}  # with the test file or without
    for key, source in _sources(config):
        record = _record_of(Path(source).expanduser())
        if record is not None and record.get("corpus_fingerprint") in same:
            _check_split(config.data, _split_of(record, source), f"{key}={source}")


def warn_of_own_test(data: DataConfig) -> None:
    """Warn where the test file is the training file."""
    if is_tested_on_itself(data):
        log.warning(
            "data.test_file=%s has the same content as data.train_file=%s: what is measured on it "
            "says nothing about other reviews",
            *(data.test_file, data.train_file),
        )


def _split_of(record: dict[str, Any], source: str) -> Mapping[str, Any]:
    data = final_step_config(record).get("data")
    split = {name: data.get(name) for name in _SPLIT} if isinstance(data, dict) else {}
    if any(type(split.get(name)) not in (int, float) for name in _SPLIT):
        raise ValueError(
            f"{source}: its {RECORD_FILE} is damaged and does not say which reviews were held out; "
            "without it, the bundle is taken at your word"
        )
    return split


def check_planned(config: RunConfig, planned: Mapping[str, RunConfig]) -> None:
    """The same for sources that are yet to be made, by the runs that will make them."""
    for key, source in _sources(config):
        if source in planned and _files(planned[source].data) == _files(config.data):
            _check_split(config.data, planned[source].data.model_dump(), f"{key}={source}")


def _check_split(ours: DataConfig, theirs: Mapping[str, Any], source: str) -> None:
    needed = [
        f"data.{name}={theirs[name]}" for name in _SPLIT if theirs[name] != getattr(ours, name)
    ]
    if needed:
        raise ValueError(
            f"{source}: has learnt from reviews of this run's validation part; "
            f"set {' '.join(needed)}, which it held out"
        )


def _files(data: DataConfig) -> tuple[str, str, str]:
    return data.root, data.train_file, data.test_file


def _sources(config: RunConfig) -> Iterator[tuple[str, str]]:
    if config.init_from is not None:
        yield "init_from", config.init_from
    for teacher in config.distill.teachers:
        yield "distill.teachers", teacher


def _record_of(source: Path) -> dict[str, Any] | None:
    if (source / SOFT_LABELS_FILE).is_file():
        return read_record(source)
    try:
        folder = bundle_folder(source)
    except FileNotFoundError:  # whoever reads it will say so
        return None
    return read_record(folder) or read_record(folder.parent)
