"""What a recipe makes of several students: one bundle, measured as that of a run is.

Legend: N reviews, C labels.
"""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nsmc.comparison.answers import Answers, as_ids, write_answers
from nsmc.comparison.hardest import hardest_reviews, write_hardest
from nsmc.conversion.card import with_merged
from nsmc.conversion.merging import fill_merged
from nsmc.data.corpus import LabelArray, Reviews
from nsmc.data.morphemes import texts_to_read
from nsmc.reading.labels import listed, positions
from nsmc.runs.measured import FloatArray, answers_to, measured
from nsmc.runtime.bundle import (
    TOKENIZER_FILE,
    BundleConfig,
    parameter_count,
    rewrite_config,
    whole_bundle,
)
from nsmc.runtime.confidence import measured_confidence
from nsmc.runtime.familiarity import Profile
from nsmc.runtime.golden import rescale_vectors
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import exact_softmax
from nsmc.training.model_card import model_card

log = logging.getLogger(__name__)

_PARTS = {"val": "validation", "test": "test"}
_CHUNK = 1024  # reviews that are answered at once
_MOST_REVIEWS = 20_000  # whose tokens are looked at


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a bundle comes from, as its `config.json` and its card have it."""

    corpus: str
    command: str
    signature: str


def merge_students(
    bundles: Sequence[Path],
    parts: dict[str, Reviews],
    folder: Path,
    origin: Origin,
    cache_dir: Path,
) -> dict[str, Any]:
    """Write the bundles as one to `folder`/bundle, measured on `parts`; returns the figures.

    `parts` are the reviews "val" and, where that is wanted, "test". The temperature is fitted on
    the first. An earlier bundle is there until all is measured. Raises what `fill_merged` raises.
    """
    output = folder / "bundle"
    metrics, answers = dict[str, float](), dict[str, Answers]()
    with whole_bundle(output) as scratch:
        merged = fill_merged(scratch, bundles, origin.command, str(output))
        log.info("%s", dataclasses.replace(merged, folder=output))
        predictor = Predictor.load(scratch)
        for name, part in parts.items():
            log.info("measuring it on %s %s reviews", f"{len(part):,}", _PARTS[name])
            token_ids, logits = _answered(predictor, part, cache_dir)
            metrics |= measured(name, part.labels, logits)
            answers[name] = answers_to(part, exact_softmax(logits))
            if name == "val":
                tokenizer = scratch / TOKENIZER_FILE
                confidence = _confidence(part.labels, token_ids, logits, tokenizer)
        config = dataclasses.replace(
            predictor.config,
            signature=origin.signature,
            metrics=metrics,
            confidence=confidence,
        )
        rewrite_config(scratch, config, _card(config, origin.corpus, len(bundles)))
        rescale_vectors(scratch, config)
        ids, texts = as_ids(parts["val"].ids), parts["val"].texts
        predictor = Predictor.load(scratch)  # with its temperature
        hardest = hardest_reviews(predictor, answers["val"], ids, texts.__getitem__)
    write_answers(folder, answers)
    write_hardest(folder, hardest)
    return {
        "metrics": metrics,
        "parameters": parameter_count(config),
        "bundle_bytes": sum(file.stat().st_size for file in output.iterdir()),
    }


def _answered(
    predictor: Predictor, reviews: Reviews, cache_dir: Path
) -> tuple[list[list[int]], FloatArray]:
    """The token ids of reviews, and logits [N, C] in the order of the reviews' label names."""
    texts = texts_to_read(reviews.texts, predictor.config.morphemes is not None, cache_dir)
    token_ids = predictor.encode_read(texts)
    chunks = (token_ids[start : start + _CHUNK] for start in range(0, len(token_ids), _CHUNK))
    logits = np.concatenate([*mapped(predictor.logits, chunks)])
    order = positions(reviews.label_names, predictor.config.labels)
    if order is None:
        raise ValueError(
            f"recipe: merge: they answer {listed(predictor.config.labels)}; the corpus has "
            f"{listed(reviews.label_names)}"
        )
    return token_ids, logits[:, order]


def _confidence(
    labels: LabelArray, token_ids: list[list[int]], logits: FloatArray, tokenizer: Path
) -> dict[str, Any] | None:
    """What the bundle says of its probabilities, and of the texts that they are for."""
    confidence = measured_confidence(labels, logits)
    if confidence is None:
        return None
    answers = exact_softmax(logits / confidence["temperature"]).max(axis=1)
    profile, shown = Profile(read_tokenizer(tokenizer).lone_bytes), slice(_MOST_REVIEWS)
    profile.add(token_ids[shown], answers[shown])
    return {**confidence, "texts": profile.as_json()}


def _card(config: BundleConfig, corpus: str, count: int) -> str:
    """That of a run, but of several networks, which had teachers of their own."""
    card = model_card(dataclasses.replace(config, teachers=None), corpus)
    return with_merged(card, config, count)
