"""How long a job will take, from earlier runs of the same shape."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nsmc.config.schema import RunConfig
from nsmc.runs.record import RECORD_FILE, read_record
from nsmc.runtime.bundle import BundleConfig, expected_shapes
from nsmc.runtime.encoders import ENCODERS, encoder_settings
from nsmc.runtime.encoders.settings import own_settings

# What decides how much work an epoch is.
_MODEL = ("architecture", "embedding_dim", "pooling")  # and the architecture's own settings
_DATA = ("batch_size", "max_length", "padding", "bucketing", "validation_fraction", "vocab_size")
_TRAINER = ("accelerator", "devices", "num_nodes", "precision", "limit_train_batches")

Seconds = dict[str, list[tuple[float, float]]]  # by shape: of an epoch, and of all else


def seconds_by_shape(outputs: Path) -> Seconds:
    """What the finished runs under an outputs folder took."""
    found: Seconds = defaultdict(list)
    for path in [
        *outputs.glob(f"runs/*/{RECORD_FILE}"),
        *outputs.glob(f"sweeps/*/*/{RECORD_FILE}"),
    ]:
        record = read_record(path.parent) or {}
        if "recipe" in record:  # its seconds are those of several runs
            continue
        with suppress(KeyError, TypeError, ZeroDivisionError):  # an old or a damaged record
            training = record["train_seconds"]
            each = (training / record["epochs"], record["seconds"] - training)
            found[_shape(record["config"], record["corpus_fingerprint"])].append(each)
    return found


def estimate(config: RunConfig, corpus: str, known: Seconds) -> float | None:
    """Seconds that a run of all its epochs takes; None where no run tells."""
    if config.recipe or config.task == "linear":  # not what the network decides
        return None
    runs = known.get(_shape(config.model_dump(), corpus))
    if not runs:
        return None
    epoch, rest = (statistics.median(part) for part in zip(*runs, strict=True))
    return epoch * config.trainer.max_epochs + rest


def _shape(config: Mapping[str, Any], corpus: str) -> str:
    own = own_settings(ENCODERS[config["model"]["architecture"]])
    sections = {"model": (*_MODEL, *own), "data": _DATA, "trainer": _TRAINER}
    values = [config[section][key] for section, keys in sections.items() for key in keys]
    return repr([corpus, *values])


def parameter_count(config: RunConfig) -> int:
    """The parameters of the model; a small corpus may fill less of the vocabulary."""
    model = config.model
    bundle = BundleConfig(
        encoder=encoder_settings(model.encoder()),
        vocab_size=config.data.vocab_size,
        embedding_dim=model.embedding_dim,
        pooling=model.pooling,
        pad_id=0,
        max_length=config.data.max_length,
        labels=(config.data.labels[0], config.data.labels[1]),
        signature="",
    )
    return sum(math.prod(shape) for shape in expected_shapes(bundle).values())


def in_words(seconds: float) -> str:
    """Such as 45 s, 12 min or 3 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def total(estimates: Iterable[float | None]) -> tuple[float, int]:
    """The sum of the known ones, and how many are not known."""
    known = list(estimates)
    return sum(each or 0.0 for each in known), sum(each is None for each in known)
