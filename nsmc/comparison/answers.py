"""What a classifier says of each review of a part, and the file of a run that keeps it.

`answers.safetensors` in a run's folder has, for the parts `val` and `test`, the arrays of `Answers`
in the order of the reviews' ids. Of the probabilities there are two, whatever the number of labels:
that of the answer and that of the true label. A review takes 14 bytes and its id.

Legend: N reviews.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nsmc.atomic import write_file
from nsmc.comparison.slices import SLICES, Bits
from nsmc.small_files import open_regular

ANSWERS_FILE = "answers.safetensors"
PARTS = ("val", "test")

Ids = npt.NDArray[np.bytes_]  # [N]
Labels = npt.NDArray[np.int16]  # [N], numbers
Probabilities = npt.NDArray[np.float32]  # [N]

_FORMAT = "nsmc-answers-1"
_LONGEST_ID = 64  # bytes; a longer one is kept as its digest
_MOST_LABELS = 1 << 15
_LARGEST = 1 << 31  # bytes of a file


@dataclass(frozen=True)
class ReviewKeys:
    """What answers need to know of the reviews of a part: their `ids` and built-in `slices`."""

    ids: Ids
    slices: Bits


@dataclass(frozen=True)
class Answers:
    """The answers to N reviews, by ascending ids.

    `labels` are those that the reviews have, `answers` those that they were given, with their
    `probabilities`; `label_probabilities` are those of `labels`. `names` are the labels' names,
    `slice_names` those of the bits of `slices`.
    """

    ids: Ids
    labels: Labels
    answers: Labels
    probabilities: Probabilities
    label_probabilities: Probabilities
    slices: Bits
    names: tuple[str, ...]
    slice_names: tuple[str, ...] = SLICES

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        return self.answers == self.labels

    def take(self, rows: npt.NDArray[Any]) -> "Answers":
        """The answers of these rows, which are numbers in ascending order, or a mask."""
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return Answers(**arrays, names=self.names, slice_names=self.slice_names)


_ARRAYS = {
    "ids": np.uint8,
    "labels": np.int16,
    "answers": np.int16,
    "probabilities": np.float32,
    "label_probabilities": np.float32,
    "slices": np.uint16,
}
assert [*_ARRAYS] == [field.name for field in fields(Answers)][: len(_ARRAYS)]


def as_ids(ids: Iterable[str]) -> Ids:
    """Ids as an array of bytes in UTF-8; of equal ones, the second and later are numbered."""
    seen, keys = Counter[str](), dict[bytes, None]()
    for review_id in ids:
        key = _key_of(review_id)
        while key in keys:
            seen[review_id] += 1
            key = _key_of(f"{review_id}#{seen[review_id] + 1}")
        keys[key] = None
    return np.array([*keys], dtype=np.bytes_)


def _key_of(review_id: str) -> bytes:
    key = review_id.encode("utf-8", errors="replace").replace(b"\0", b" ")
    is_short = 0 < len(key) <= _LONGEST_ID
    return key if is_short else hashlib.blake2b(key, digest_size=16).hexdigest().encode()


def answers_of(
    keys: ReviewKeys,
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
    names: Sequence[str],
) -> Answers:
    """The answers from the probabilities [N, C] of all labels."""
    answers, rows = probabilities.argmax(axis=1), np.arange(len(labels))
    return sorted_by_id(
        Answers(
            ids=keys.ids,
            labels=labels.astype(np.int16),
            answers=answers.astype(np.int16),
            probabilities=probabilities[rows, answers].astype(np.float32),
            label_probabilities=probabilities[rows, labels].astype(np.float32),
            slices=keys.slices,
            names=tuple(names),
        )
    )


def sorted_by_id(answers: Answers) -> Answers:
    """The same in the order in which all answers are."""
    return answers.take(np.argsort(answers.ids, kind="stable"))


def write_answers(folder: Path, parts: Mapping[str, Answers]) -> None:
    """Write the run's file; raises OSError where that fails."""
    tensors = {
        f"{part}.{name}": _as_matrix(getattr(answers, name))
        for part, answers in parts.items()
        for name in _ARRAYS
    }
    first = next(iter(parts.values()))
    about = {
        "format": _FORMAT,
        "labels": json.dumps(first.names, ensure_ascii=False),
        "slices": json.dumps(first.slice_names, ensure_ascii=False),
    }
    write_file(folder / ANSWERS_FILE, save(tensors, about))


def read_answers(folder: Path, part: str) -> Answers | None:
    """What a run says of a part; None where it kept nothing of it, as runs of before do not.

    Raises ValueError, in one line that names the file, for what no run has written.
    """
    path = folder / ANSWERS_FILE
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if size > _LARGEST:
        raise ValueError(f"{path}: larger than {_LARGEST:,} bytes")
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            if f"{part}.ids" not in file.keys():  # noqa: SIM118 - no dict
                return None
            arrays = {name: file.get_tensor(f"{part}.{name}") for name in _ARRAYS}
        return _checked(arrays, about)
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        details = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: not the answers of a run, or damaged ({details})") from None


def _as_matrix(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Ids as bytes [N, longest], which safetensors has a type for."""
    if array.dtype.kind != "S":
        return np.ascontiguousarray(array)
    width = array.dtype.itemsize
    return np.frombuffer(array.tobytes(), np.uint8).reshape(len(array), width)


def _checked(arrays: dict[str, npt.NDArray[Any]], about: Mapping[str, str]) -> Answers:
    """Raises ValueError for arrays that do not belong together."""
    if about.get("format") != _FORMAT:
        raise ValueError(f"format {about.get('format')!r}")
    names, slice_names = _texts(about, "labels"), _texts(about, "slices")
    ids = arrays["ids"]
    for name, array in arrays.items():
        if array.dtype != _ARRAYS[name] or array.ndim != 1 + (name == "ids"):
            raise ValueError(f"{name}: {array.dtype} with {array.ndim} dimensions")
        if len(array) != len(ids):
            raise ValueError(f"{name}: {len(array)} for {len(ids)} reviews")
    if not 0 < ids.shape[1] <= _LONGEST_ID:
        raise ValueError(f"ids of {ids.shape[1]} bytes")
    keys = np.frombuffer(ids.tobytes(), dtype=f"S{ids.shape[1]}")
    if not (keys[:-1] < keys[1:]).all():
        raise ValueError("ids that do not ascend")
    for name in ("labels", "answers"):
        if len(ids) and not 0 <= arrays[name].min() <= arrays[name].max() < len(names):
            raise ValueError(f"{name} beyond the {len(names)} that there are")
    for name in ("probabilities", "label_probabilities"):
        if not ((arrays[name] >= 0) & (arrays[name] <= 1)).all():  # NaN is not
            raise ValueError(f"{name} that are none")
    if len(slice_names) > 16:
        raise ValueError(f"{len(slice_names)} slices")
    return Answers(**{**arrays, "ids": keys}, names=names, slice_names=slice_names)


def _texts(about: Mapping[str, str], key: str) -> tuple[str, ...]:
    texts = json.loads(about.get(key, ""))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{key} are no texts")
    if len(texts) > _MOST_LABELS:
        raise ValueError(f"{len(texts)} {key}")
    return tuple(texts)
