"""Kinds of reviews that classifiers may differ on, told by the text alone: built-in slices.

A review can be in several slices or in none. They are rules of thumb for Korean reviews, which
show where to look; none of them was checked against annotations.

Legend: N reviews.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint16]  # [N]: bit i is set where a review is in the i-th of SLICES

# 안 and 못 negate only as words of their own or before a verb: not in 안녕, 안내, 못지않다.
_NEGATION = (
    r"(?<![가-힣])(?:안|못)(?:\s|[되될됨된돼됐하해했한할함가갔갈봐봤보본볼나났좋웃울맞믿먹])"
    r"|않|없|아니|아닌|아님|지\s*마|지\s*말|지\s*못|못\s*[하해했한할함]"
)

_PATTERNS = {
    "up to 15 characters": r"\A\s*.{0,15}?\s*\Z",
    "16 to 50 characters": r"\A\s*(?=\S).{16,50}(?<=\S)\s*\Z",
    "over 50 characters": r"\A\s*(?=\S).{51,}(?<=\S)\s*\Z",
    "negation": _NEGATION,
    "ㅋㅋ, ㅎㅎ": r"[ㅋㅎ]{2}",
    "ㅠㅠ, ㅜㅜ": r"[ㅠㅜ]{2}",
    "question": r"[?？]",
    "spaces missing": r"[가-힣]{12}",  # twelve syllables on end; the longest usual words have eight
}
SLICES = tuple(_PATTERNS)

_COMPILED = [re.compile(pattern, re.DOTALL) for pattern in _PATTERNS.values()]


def slices_of(texts: Sequence[str]) -> Bits:
    """Which built-in slices each text is in."""
    bits = np.zeros(len(texts), np.uint16)
    for number, pattern in enumerate(_COMPILED):
        is_in = np.fromiter((pattern.search(text) is not None for text in texts), bool, len(texts))
        bits |= is_in.astype(np.uint16) << number
    return bits


def members(bits: npt.NDArray[np.integer[Any]], number: int) -> npt.NDArray[np.bool_]:
    """Which reviews [N] are in the slice of that number."""
    return (bits >> number) & 1 == 1
