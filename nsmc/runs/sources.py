"""Checks what a run starts from and learns from, before anything is downloaded, read or trained.

No run may be chosen by reviews that its initial weights or its teachers have learnt from. The
record beside a bundle says what its run held out of which training file. A bundle without one, and
a file of soft labels, are taken at the user's word.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nsmc.config.earlier import with_todays_keys
from nsmc.config.overrides import as_overrides
from nsmc.config.schema import DataConfig, RunConfig
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.reading.labels import label_text
from nsmc.runs.corpus_files import tokenizer_file, training_fingerprint
from nsmc.runs.record import RECORD_FILE, final_step_config, read_record
from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, flat
from nsmc.runtime.loading import read_config, read_vocabulary
from nsmc.runtime.locate import bundle_folder
from nsmc.training.starting import check_shape

LABEL_NUMBERS = "numbers of the labels"  # these follow from data.labels and data.label_map

# What rows there are, and with which labels: the split is drawn among these, by label.
_FORM = (
    *("header", "delimiter", "quoting", "text_column", "label_column", "group_column"),
    *("skip_damaged", LABEL_NUMBERS),
)


def check_sources(config: RunConfig, planned: Mapping[str, RunConfig] | None = None) -> None:
    """Check the bundle of `init_from` and the teachers.

    `planned` has, by folder, the runs that are still to make one of them: a recipe's earlier steps.
    Raises FileNotFoundError where there is none, and ValueError where it is of another shape, has
    other tokens, or is of another kind.
    """
    for key, source in _sources(config):
        if planned and source in planned:
            _check_planned(config, key, source, planned[source])
        elif key == "init_from":
            _check_bundle(config, source)
        elif _is_language_model(Path(source)):
            raise _no_teacher(source)


def check_held_out(config: RunConfig, corpus_fingerprint: str) -> None:
    """Raises ValueError for a source that held out another part of the same corpus."""
    for key, source in _sources(config):
        record = _record_of(Path(source)) or {}
        training = training_fingerprint(config.data)
        # Older records know only the fingerprint of the corpus: with the test file or without.
        known = {record.get("training_fingerprint"), record.get("corpus_fingerprint")} - {None}
        if known & {training, corpus_fingerprint}:
            _check_split(config.data, _recorded_data(record, source), f"{key}={source}")


def _sources(config: RunConfig) -> Iterator[tuple[str, str]]:
    if config.init_from is not None:
        yield "init_from", config.init_from
    for teacher in config.distill.teachers:
        yield "distill.teachers", teacher


def _check_planned(config: RunConfig, key: str, name: str, theirs: RunConfig) -> None:
    if key == "distill.teachers":
        if theirs.task == "pretrain":
            raise _no_teacher(name)
    elif theirs.task == "linear":
        raise ValueError(f"init_from={name}: a linear classifier has no weights to start from")
    else:
        check_shape(config.model.encoder(), theirs.model.encoder(), name)
    files = ("root", "train_file")
    if all(getattr(config.data, file) == getattr(theirs.data, file) for file in files):
        _check_split(config.data, theirs.data.model_dump(), f"{key}={name}")


def _check_bundle(config: RunConfig, name: str) -> None:
    try:
        folder = bundle_folder(Path(name))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"init_from: {error}") from None
    check_shape(config.model.encoder(), flat(read_config(folder / CONFIG_FILE)), name)
    if config.data.tokenizer is None:
        return
    files = (tokenizer_file(config), folder / TOKENIZER_FILE)
    ours, theirs = (read_vocabulary(file) for file in files if file)
    if ours != theirs:
        raise ValueError(f"init_from={name}: its tokens are others; leave out data.tokenizer")


def _is_language_model(teacher: Path) -> bool:
    if teacher.is_file() or (teacher / SOFT_LABELS_FILE).is_file():
        return False
    try:
        return not read_config(bundle_folder(teacher) / CONFIG_FILE).labels
    except FileNotFoundError:  # whoever reads it will say so
        return False


def _no_teacher(source: str) -> ValueError:
    return ValueError(
        f"distill.teachers={source}: a language model, which classifies nothing; start from it "
        "with init_from instead"
    )


def _record_of(source: Path) -> dict[str, Any] | None:
    if (source / SOFT_LABELS_FILE).is_file():
        return read_record(source)
    try:
        folder = bundle_folder(source)
    except FileNotFoundError:  # whoever reads it will say so
        return None
    return read_record(folder) or read_record(folder.parent)


def _recorded_data(record: dict[str, Any], source: str) -> Mapping[str, Any]:
    data = with_todays_keys(final_step_config(record)).get("data")
    values = data if isinstance(data, dict) else {}
    if any(
        type(values.get(key)) not in (int, float) for key in ("validation_fraction", "split_seed")
    ):
        raise ValueError(
            f"{source}: its {RECORD_FILE} is damaged and does not say which reviews were held out; "
            "without it, the bundle is taken at your word"
        )
    return values


def _check_split(ours: DataConfig, theirs: Mapping[str, Any], source: str) -> None:
    given, wanted = split_of(ours.model_dump()), split_of(theirs)
    if "split_seed" not in given:  # nothing of the training file is held out
        return
    needed = [key for key in wanted if given.get(key) != wanted[key]]
    if "label_column" in needed and theirs["label_column"] is None:
        raise ValueError(
            f"{source}: may have learnt from reviews that this run holds out, as it drew its own "
            f"without labels; train it with data.label_column={ours.label_column}"
        )
    if LABEL_NUMBERS in needed:  # the numbers follow from both keys
        keys = [key for key in ("labels", "label_map") if getattr(ours, key) != theirs[key]]
        needed = [key for key in needed if key != LABEL_NUMBERS] + keys
    if needed:
        overrides = as_overrides({f"data.{key}": theirs[key] for key in needed})
        raise ValueError(
            f"{source}: may have learnt from reviews that this run holds out; set "
            f"{' '.join(overrides)}, as it did"
        )


def split_of(data: Mapping[str, Any]) -> dict[str, str]:
    """What decides which reviews of the training file are held out: keys and values to compare.

    Of files it matters whether there are any.
    """
    split = {key: str(data[key] is not None) for key in ("validation_file", "test_file")}
    keys = ["validation_fraction"] if data["validation_file"] is None else []
    if data["test_file"] is None:
        keys += ["folds", "fold"] if data["folds"] is not None else ["folds", "test_fraction"]
    keys += ["split_seed", *_FORM] if keys else []
    compared = {**data, LABEL_NUMBERS: _label_numbers(data["label_map"], data["labels"])}
    return split | {key: json.dumps(compared[key], sort_keys=True) for key in keys}


def _label_numbers(mapping: dict[str, str | None] | None, names: list[str] | None) -> Any:
    """Which values are which label, by its number: what it is called moves no review.

    A record may have them as they were typed, and not as `label_text` has them.
    """
    if mapping is None:
        return names and [label_text(name) for name in names]
    names = names or list(dict.fromkeys(name for name in mapping.values() if name is not None))
    return {
        label_text(value): names.index(name) if name in names else None
        for value, name in mapping.items()
    }
