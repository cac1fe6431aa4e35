"""Checks what a run starts from and learns from, before anything is downloaded, read or trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nsmc.config.schema import RunConfig
from nsmc.data.soft_labels import SOFT_LABELS_FILE
from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, flat
from nsmc.runtime.loading import read_config, read_tokenizer
from nsmc.runtime.locate import bundle_folder
from nsmc.training.starting import check_shape

# By the folder's name, what runs in it will be: the earlier steps of a recipe.
Planned = Mapping[str, RunConfig]


def check_sources(config: RunConfig, planned: Planned | None = None) -> None:
    """Check the bundle of `init_from` and the teachers, those that are planned among them.

    Raises FileNotFoundError where there is none, and ValueError where it is of another shape, has
    other tokens, or is of another kind.
    """
    planned = planned or {}
    if config.init_from is not None:
        if config.init_from in planned:
            _check_planned_start(config, config.init_from, planned[config.init_from])
        else:
            _check_bundle(config, config.init_from)
    for teacher in config.distill.teachers:
        if _classifies_nothing(teacher, planned):
            raise ValueError(
                f"distill.teachers={teacher}: a language model, which classifies nothing; start "
                "from it with init_from instead"
            )


def _check_planned_start(config: RunConfig, name: str, theirs: RunConfig) -> None:
    if theirs.task == "linear":
        raise ValueError(f"init_from={name}: a linear classifier has no weights to start from")
    check_shape(config.model.encoder(), theirs.model.encoder(), name)


def _check_bundle(config: RunConfig, name: str) -> None:
    try:
        folder = bundle_folder(Path(name).expanduser())
    except FileNotFoundError as error:
        raise FileNotFoundError(f"init_from: {error}") from None
    check_shape(config.model.encoder(), flat(read_config(folder / CONFIG_FILE)), name)
    if config.data.tokenizer is None:
        return
    path = Path(config.data.tokenizer).expanduser()
    path = path if path.is_file() else bundle_folder(path) / TOKENIZER_FILE
    ours, theirs = (read_tokenizer(file).get_vocab() for file in (path, folder / TOKENIZER_FILE))
    if ours != theirs:
        raise ValueError(f"init_from={name}: its tokens are others; leave out data.tokenizer")


def _classifies_nothing(teacher: str, planned: Planned) -> bool:
    if teacher in planned:
        return planned[teacher].task == "pretrain"
    path = Path(teacher).expanduser()
    if path.is_file() or (path / SOFT_LABELS_FILE).is_file():
        return False
    try:
        labels: tuple[Any, ...] = read_config(bundle_folder(path) / CONFIG_FILE).labels
    except FileNotFoundError:  # whoever reads it will say so
        return False
    return not labels
