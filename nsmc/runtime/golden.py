"""Test vectors: texts with their ids and answers, in a bundle, for programs in other languages.

Such a program is checked against them: `probes` has the texts, and says what each is about. Lone
halves of surrogate pairs are in a list of their own, as UTF-16: few readers of JSON, and few
languages, can hold such a text.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nsmc.atomic import write_file
from nsmc.runtime.bundle import TOKENIZER_FILE, VECTORS_FILE, BundleConfig
from nsmc.runtime.loading import read_vocabulary
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.probes import LONE_SURROGATES, PROBES, probes
from nsmc.runtime.softmax import exact_softmax
from nsmc.small_files import read_json

__all__ = ["PROBES", "TOLERANCE", "rescale_vectors", "vectors_of", "write_vectors"]

TOLERANCE = 1e-5  # of a logit or a probability that was computed in float32

_DIGITS = 6  # behind the point

Vector = dict[str, Any]


def write_vectors(folder: Path) -> None:
    """Write the vectors of the bundle in `folder`; raises what `Predictor.load` raises."""
    predictor = Predictor.load(folder)
    vectors = vectors_of(predictor, read_vocabulary(folder / TOKENIZER_FILE))
    _write(folder, vectors, _lone_surrogates(predictor))


def rescale_vectors(folder: Path, config: BundleConfig) -> None:
    """Make their probabilities those of the configuration's temperature, if there are vectors."""
    path = folder / VECTORS_FILE
    if not path.is_file():
        return
    content = read_json(path)
    lists = [content["vectors"], content["utf16_vectors"]]
    for vector in (vector for each in lists for vector in each):
        logits = np.array([vector["logits"]], np.float32)
        vector["probabilities"] = _rounded(exact_softmax(logits / config.temperature)[0])
    _write(folder, *lists)


def vectors_of(predictor: Predictor, vocabulary: Mapping[str, int]) -> list[Vector]:
    """Texts, each with what it is about, its ids, logits and probabilities, as plain values."""
    found = probes(predictor.tokenizer, vocabulary, predictor.config.max_length)
    answers = _answers(predictor, [probe.text for probe in found])
    return [{**probe._asdict(), **answer} for probe, answer in zip(found, answers, strict=True)]


def _lone_surrogates(predictor: Predictor) -> list[Vector]:
    texts = [text.encode("utf-16-le", "surrogatepass") for text in LONE_SURROGATES]
    units = [np.frombuffer(text, "<u2").tolist() for text in texts]
    answers = _answers(predictor, LONE_SURROGATES)
    return [{"utf16": each, **answer} for each, answer in zip(units, answers, strict=True)]


def _answers(predictor: Predictor, texts: Sequence[str]) -> list[Vector]:
    answers = []
    for ids in predictor.encode(texts):
        logits = predictor.logits([ids])
        probabilities = exact_softmax(predictor.scaled(logits))
        answers.append(
            {
                "ids": ids,
                "logits": _rounded(logits[0]),
                "probabilities": _rounded(probabilities[0]),
            }
        )
    return answers


def _rounded(values: Any) -> list[float]:
    return [round(float(value), _DIGITS) for value in values]


def _write(folder: Path, vectors: Sequence[Vector], utf16_vectors: Sequence[Vector]) -> None:
    """A vector in a line."""
    lists = [
        ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in each)
        for each in (vectors, utf16_vectors)
    ]
    content = (
        f'{{"tolerance": {TOLERANCE},\n"vectors": [\n{lists[0]}\n],\n'
        f'"utf16_vectors": [\n{lists[1]}\n]}}\n'
    )
    write_file(folder / VECTORS_FILE, content)
