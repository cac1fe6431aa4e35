"""Whether texts are like those that a bundle was trained on: what is known of it holds for such.

Three things are counted of each review: its tokens, those of them that are a single byte of a
letter that the vocabulary does not know, and the probability of the answer. Two collections are as
far apart as their distributions are at most (Kolmogorov and Smirnov's distance, from 0 to 1).
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

FAR = 0.1  # a distance beyond it, and beyond chance, is said

# The upper ends of the cells in which reviews are counted; what is above the last is in one more.
_EDGES = {
    "tokens": (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128),
    "lone_bytes": (0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    "probability": tuple(step / 20 for step in range(1, 20)),
}
_SURELY = 1.63  # times sqrt(1/n + 1/m): so far apart are two samples of one kind once in a hundred


class Difference(NamedTuple):
    """How a thing that is counted differs: its means, here and in the reference."""

    name: str
    mean: float
    reference_mean: float
    distance: float
    is_far: bool


class Profile:
    """Adds up what reviews are like, in memory that does not follow their number."""

    def __init__(self, lone_bytes: frozenset[int]) -> None:
        """`lone_bytes` are those of the `BundleTokenizer`."""
        self._lone_bytes = lone_bytes
        self._counts = {name: np.zeros(len(edges) + 1) for name, edges in _EDGES.items()}
        self._totals = dict.fromkeys(_EDGES, 0.0)
        self.reviews = 0

    def add(
        self, reviews: Sequence[Sequence[int]], probabilities: npt.NDArray[np.floating[Any]]
    ) -> None:
        """Token ids of reviews, and the probabilities of their answers [N]."""
        lengths = np.array([len(ids) for ids in reviews], np.float64)
        lone = np.array([sum(id in self._lone_bytes for id in ids) for ids in reviews], np.float64)
        values = {
            "tokens": lengths,
            "lone_bytes": lone / np.maximum(lengths, 1),
            "probability": np.asarray(probabilities, np.float64),
        }
        for name, edges in _EDGES.items():
            cells = np.searchsorted(np.array(edges), values[name])
            self._counts[name] += np.bincount(cells, minlength=len(edges) + 1)
            self._totals[name] += float(values[name].sum())
        self.reviews += len(reviews)

    def as_json(self) -> dict[str, Any]:
        """Plain values: the number of reviews and, of each thing, its mean and distribution."""
        count = max(self.reviews, 1)
        of_each = {
            name: {
                "mean": round(self._totals[name] / count, 4),
                "shares": [round(share, 4) for share in (self._counts[name] / count).tolist()],
            }
            for name in _EDGES
        }
        return {"reviews": self.reviews, **of_each}


def differences(found: Mapping[str, Any], reference: Mapping[str, Any]) -> list[Difference]:
    """How far two profiles, as plain values, are apart."""
    chance = _SURELY * math.sqrt(1 / max(found["reviews"], 1) + 1 / max(reference["reviews"], 1))
    result = []
    for name in _EDGES:
        first, second = found[name], reference[name]
        apart = np.abs(np.cumsum(first["shares"]) - np.cumsum(second["shares"])).max()
        distance = round(float(apart), 4)
        is_far = distance > max(FAR, chance)
        result.append(Difference(name, first["mean"], second["mean"], distance, is_far))
    return result


def check_profile(profile: object) -> None:
    """Raises ValueError, which names the key, for what `Profile` would not have made."""
    if not (isinstance(profile, dict) and _is_count(profile.get("reviews"))):
        raise ValueError(f"it is {repr(profile)[:40]}, not a table with a number of reviews")
    for name, edges in _EDGES.items():
        value = profile.get(name)
        shares = value.get("shares") if isinstance(value, dict) else None
        is_sound = (
            isinstance(value, dict)
            and are_numbers([value.get("mean")])
            and isinstance(shares, list)
            and len(shares) == len(edges) + 1
            and are_numbers(shares)
        )
        if not is_sound:
            raise ValueError(f"{name} is {repr(value)[:40]}; expected a mean and its shares")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= 2**53


def are_numbers(values: Iterable[object]) -> bool:
    """Whether they are finite numbers; JSON can have whole ones that no float holds."""
    largest = sys.float_info.max
    return all(type(value) in (int, float) and abs(value) <= largest for value in values)  # type: ignore[arg-type]
