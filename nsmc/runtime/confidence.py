"""What a bundle knows of its own probabilities: `confidence` in its config.json.

Legend: N reviews, C labels.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.runtime.coverage import Coverage, Surest
from nsmc.runtime.familiarity import are_numbers, check_profile
from nsmc.runtime.softmax import Logits, exact_softmax

COLDEST, HOTTEST = 0.05, 20.0  # what a temperature may be
SHARES = (0.5, 0.7, 0.8, 0.9, 1.0)  # of the reviews, the surest ones, in the table
_WANTED_ACCURACY, _LEAST_SHARE = 0.95, 0.5  # of the answers that are not called unsure
_FEWEST_REVIEWS = 100  # of which less would be noise
_MOST_LOGITS = 20_000_000  # that a temperature is fitted on

Labels = npt.NDArray[np.integer[Any]]


def measured_confidence(labels: Labels, logits: Logits) -> dict[str, Any] | None:
    """The object `confidence` of a classifier with these logits [N, C] for these labels [N].

    Probabilities are the softmax of the logits divided by its `temperature`. `calibration_error`
    and `coverage` are with it, `calibration_error_before` is without. None of too few reviews.
    """
    if len(labels) < _FEWEST_REVIEWS:
        return None
    temperature = round(fit_temperature(labels, logits), 4)
    before, after = _coverage(labels, logits), _coverage(labels, logits / temperature)
    rows = [after.surest(share)._asdict() for share in SHARES]
    return {
        "temperature": temperature,
        "reviews": len(labels),
        "calibration_error_before": round(before.calibration_error(), 4),
        "calibration_error": round(after.calibration_error(), 4),
        "unsure_below": _threshold(after),
        "coverage": [{key: round(value, 4) for key, value in row.items()} for row in rows],
    }


def _threshold(coverage: Coverage) -> float | None:
    """Below which an answer is called unsure where nobody says otherwise, as on the page.

    None where the wanted accuracy would leave less than half of the reviews.
    """
    found = coverage.where_right(_WANTED_ACCURACY)
    return round(found.probability, 4) if found and found.share >= _LEAST_SHARE else None


def fit_temperature(labels: Labels, logits: Logits) -> float:
    """The temperature of the least cross-entropy, from COLDEST to HOTTEST (Guo et al. 2017).

    The cross-entropy is convex in the temperature's inverse. Its derivative, the logit that is
    expected less the label's, is 0 at one place at most, which halving finds.
    """
    count = max(_MOST_LOGITS // logits.shape[1], _FEWEST_REVIEWS)
    labels, logits = labels[:count], logits[:count].astype(np.float64)
    of_labels = logits[np.arange(len(labels)), labels].mean()
    low, high = math.log(1 / HOTTEST), math.log(1 / COLDEST)
    for _ in range(24):  # to less than a millionth
        middle = (low + high) / 2
        expected = (exact_softmax(math.exp(middle) * logits) * logits).sum(axis=1).mean()
        low, high = (low, middle) if expected > of_labels else (middle, high)
    return math.exp(-(low + high) / 2)


def check_confidence(confidence: object) -> None:
    """Raises ValueError, which names the key, for what `measured_confidence` would not make."""
    if not isinstance(confidence, dict):
        raise ValueError(f"it is {repr(confidence)[:40]}, not a table")
    temperature: Any = confidence.get("temperature")
    if not (_is_number(temperature) and COLDEST <= temperature <= HOTTEST):
        wanted = f"a number from {COLDEST} to {HOTTEST}"
        raise ValueError(f"temperature is {repr(temperature)[:40]}; expected {wanted}")
    for key in ("reviews", "calibration_error_before", "calibration_error"):
        if not _is_number(confidence.get(key)):
            raise ValueError(f"{key} is {repr(confidence.get(key))[:40]}; expected a number")
    threshold = confidence.get("unsure_below")
    if not (threshold is None or (_is_number(threshold) and 0 <= threshold <= 1)):
        raise ValueError(f"unsure_below is {repr(threshold)[:40]}; expected a probability or null")
    rows = confidence.get("coverage")
    if not (isinstance(rows, list) and all(map(_is_surest, rows))):
        wanted = f"rows of {', '.join(Surest._fields)}"
        raise ValueError(f"coverage is {repr(rows)[:40]}; expected {wanted}")
    if "texts" in confidence:
        try:
            check_profile(confidence["texts"])
        except ValueError as error:
            raise ValueError(f"texts: {error}") from None


def _is_surest(row: object) -> bool:
    are_its = isinstance(row, dict) and row.keys() == {*Surest._fields}
    return are_its and all(map(_is_number, row.values()))  # type: ignore[attr-defined]


def _is_number(value: object) -> bool:
    return are_numbers([value])


def _coverage(labels: Labels, logits: Logits) -> Coverage:
    probabilities, coverage = exact_softmax(logits), Coverage()
    coverage.add(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    return coverage
