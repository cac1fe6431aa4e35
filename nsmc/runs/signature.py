"""The signature of a run: a digest of all that can change its result, and of nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nsmc.config.earlier import without_newer_keys
from nsmc.config.overrides import typed_for_steps
from nsmc.config.schema import KEYS, DataConfig, RunConfig
from nsmc.data.cache import digest_of, digest_of_file
from nsmc.data.soft_labels import teacher_digest

# Raised when the same configuration starts to give another result.
RESULTS_FORMAT = 5


def signature(
    config: RunConfig,
    corpus_fingerprint: str,
    starting_checkpoint: str | None = None,
    overrides: Sequence[str] = (),
) -> str:
    """A short hexadecimal digest of the configuration and the corpus's content.

    `starting_checkpoint` is the digest of `ckpt_path`; None reads that file. Of a recipe
    `overrides` count as well: its steps get them, whatever its own configuration says. Raises
    FileNotFoundError for a file that is not there.
    """
    content = effective(None if config.recipe else config.task, config.model_dump())
    content["data"].update(_formats(config.data))
    content = without_newer_keys(content)  # or no run of before would be known any more
    if label_map := content["data"].get("label_map"):
        # The labels' numbers follow its order, which a digest of a mapping does not see.
        content["data"]["label_map"] = [*label_map.items()]
    if (path := content.pop("ckpt_path")) is not None:
        content["checkpoint"] = starting_checkpoint or _digest_of_checkpoint(path)
    if config.recipe:
        typed = typed_for_steps(overrides)
        content["typed"] = {key: value for key, value in typed.items() if KEYS.affects_result(key)}
    averaging = config.callbacks.averaging
    if config.task != "linear" and averaging.decay is not None and averaging.every_n_steps > 1:
        content["averaging"] = "of each n-th step"  # once of the one after it
    if config.trainer.processes > 1:
        content["losses"] = "means over reviews"  # once they were means of the processes' means
    return digest_of([RESULTS_FORMAT, corpus_fingerprint, content, *_ingredients(config)])


def _formats(data: DataConfig) -> dict[str, Any]:
    """The format of the corpus's files, by what they are called: their content does not say it."""
    file_format = data.form.file_format
    unlabelled = data.unlabelled_file if data.unlabelled else None
    names = (data.train_file, data.validation_file, data.test_file, unlabelled)
    formats = [file_format.named(str(Path(data.root, name))) for name in names if name]
    return {"format": formats[0]} | ({"formats": formats} if len({*formats}) > 1 else {})


def _ingredients(config: RunConfig) -> list[Any]:
    """Digests of the files and bundles that a run takes something from; empty without any."""
    data = config.data
    digests: list[Any] = []
    sources = [
        ("init_from", "init_from", config.init_from),
        ("tokenizer", "data.tokenizer", data.tokenizer),
        *(("teacher", "distill.teachers", teacher) for teacher in config.distill.teachers),
    ]
    for name, key, source in sources:
        try:
            digests += [[name, teacher_digest(source)]] if source is not None else []
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{key}: {error}") from None
    if data.unlabelled and data.unlabelled_file:
        path = Path(data.root, data.unlabelled_file)
        content = digest_of_file(path) if path.is_file() else f"made from {data.own_archive}"
        digests.append(["unlabelled", content])
    return digests


def effective(task: str | None, section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The section without the keys that can change no result of the task."""
    kept = {
        name: value
        for name, value in section.items()
        if KEYS.affects_result(f"{prefix}{name}", task)
    }
    return {
        name: effective(task, value, f"{prefix}{name}.") if isinstance(value, dict) else value
        for name, value in kept.items()
    }


def _digest_of_checkpoint(path: str) -> str:
    try:
        return digest_of_file(Path(path))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such checkpoint") from None
