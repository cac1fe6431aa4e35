"""Looks at a file of a corpus before anything is trained: what there is of what, and what is odd.

It keeps hashes of the texts and not the texts: a million reviews take 200 MB.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from nsmc.data.corpus import CorpusForm
from nsmc.data.preparation import return_memory
from nsmc.data.tokenizer import encode
from nsmc.reading.labelled import labelled
from nsmc.reading.rows import NO_TEXT, Row, open_rows
from nsmc.runtime.tokenizer import BundleTokenizer

_BATCH = 10_000  # texts that are counted at once
_SHOWN_ERRORS = 10
_SHOWN_CHARACTERS = 12

# What Korean reviews are written in; all else is odd.
_USUAL = ((" ", "~"), ("가", "힣"), ("ㄱ", "ㅣ"))


@dataclass
class Inspection:
    """What was found; `texts` has, by the hash of each text, the label that it has first.

    `damaged` are rows that cannot be read, `unknown_labels` those whose value means no label, and
    `errors` say what is wrong with the first of both. `values` counts what is in
    the label column, `labels` what that means. `lengths` are of the reviews, in characters.
    """

    format: str = ""
    rows: int = 0
    reviews: int = 0
    empty: int = 0
    damaged: int = 0
    unknown_labels: int = 0
    mapped_to_none: int = 0
    errors: list[str] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    groups: set[str] = field(default_factory=set)
    texts: dict[int, str] = field(default_factory=dict)
    duplicates: int = 0
    conflicts: set[int] = field(default_factory=set)
    characters: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def odd_characters(self) -> list[tuple[str, int]]:
        """The most frequent characters but ASCII and Hangul, by code point and name."""
        odd = Counter(
            {
                char: count
                for char, count in self.characters.items()
                if not any(first <= char <= last for first, last in _USUAL)
            }
        )
        return [
            (f"U+{ord(char):04X} {unicodedata.name(char, 'control character')}", count)
            for char, count in odd.most_common(_SHOWN_CHARACTERS)
        ]

    def as_json(self, order: Iterable[str]) -> dict[str, Any]:
        """For programs; the labels in their `order`."""
        return {
            "format": self.format,
            "rows": self.rows,
            "reviews": self.reviews,
            "empty": self.empty,
            "damaged": self.damaged,
            "unknown_labels": self.unknown_labels,
            "left_out_by_label_map": self.mapped_to_none,
            "errors": self.errors,
            "values": dict(self.values),
            "labels": {label: self.labels[label] for label in order},
            "groups": len(self.groups),
            "duplicates": self.duplicates,
            "conflicting_texts": len(self.conflicts),
            "characters": _quantiles(self.lengths),
            "tokens": _quantiles(self.tokens),
            "odd_characters": dict(self.odd_characters()),
        }


def inspect(path: Path, form: CorpusForm, tokenizer: BundleTokenizer | None) -> Inspection:
    """Read a whole file; raises what `open_rows` raises, and ValueError where it ends in damage."""
    found = Inspection()
    batch: list[str] = []
    with open_rows(str(path), form.file_format) as rows:
        found.format = rows.format
        for row, label, unknown in labelled(rows, form.labels.label_of):
            found.rows += 1
            if row.label is not None and not row.error:
                found.values[row.label] += 1
            if label is None:
                _leave_out(row, unknown, rows.unit, found)
                continue
            found.reviews += 1
            found.labels[label] += 1
            if row.group:
                found.groups.add(row.group)
            _compare(row.text, label, found)
            batch.append(row.text)
            if len(batch) == _BATCH:
                _measure(batch, tokenizer, found)
                batch = []
    _measure(batch, tokenizer, found)
    return_memory()
    return found


def _leave_out(row: Row, unknown: str, unit: str, found: Inspection) -> None:
    if row.error == NO_TEXT:
        found.empty += 1
    elif row.error:
        found.damaged += 1
    elif unknown:
        found.unknown_labels += 1
    else:
        found.mapped_to_none += 1
    error = unknown if row.error in ("", NO_TEXT) else row.error
    if error and len(found.errors) < _SHOWN_ERRORS:
        found.errors.append(f"{unit} {row.line}: {error}")


def _compare(text: str, label: str, found: Inspection) -> None:
    key = hash(text.strip())
    first = found.texts.setdefault(key, label)
    if len(found.texts) + found.duplicates < found.reviews:
        found.duplicates += 1
        if first != label:
            found.conflicts.add(key)


def _measure(texts: list[str], tokenizer: BundleTokenizer | None, found: Inspection) -> None:
    found.characters.update("".join(texts))
    found.lengths += map(len, texts)
    if tokenizer is not None and texts:
        found.tokens += map(len, chain.from_iterable(encode(tokenizer, texts)))


def overlap(part: Inspection, training: Inspection) -> int:
    """How many different texts of a part are in the training file."""
    return len(part.texts.keys() & training.texts.keys())


def _quantiles(lengths: list[int]) -> Mapping[str, float]:
    if not lengths:
        return {}
    values = np.array(lengths)
    at = {"median": 50, "95 %": 95, "99 %": 99}
    shares = {name: int(np.percentile(values, share)) for name, share in at.items()}
    return {"mean": round(float(values.mean()), 1), **shares, "longest": int(values.max())}
