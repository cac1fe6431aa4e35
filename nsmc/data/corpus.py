"""Reads a file of a corpus: texts, and which label each has. It does not tokenize."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nsmc.reading.file_format import FileFormat
from nsmc.reading.labelled import labelled
from nsmc.reading.labels import LabelRules
from nsmc.reading.rows import NO_GROUP, NO_LABEL, NO_TEXT, open_rows

LabelArray = npt.NDArray[np.int16]

_MOST_LABELS = 10_000  # more is another column by mistake

_WAY_OUT = "data.skip_damaged=true leaves such rows out"

# What rows that are left out are called, by their error.
_REASONS = {
    **{NO_TEXT: "without a text", NO_LABEL: "without a label", NO_GROUP: "without a group"},
    "": "with a label that data.label_map maps to null",
}


@dataclass(frozen=True)
class CorpusForm:
    """How the rows of a corpus's files are read, and what their labels mean.

    With `skip_damaged`, rows that cannot be read are left out and counted.
    """

    file_format: FileFormat = field(default_factory=FileFormat)
    labels: LabelRules = field(default_factory=LabelRules)
    skip_damaged: bool = False

    def without_labels(self) -> "CorpusForm":
        """The form of the same corpus's unlabelled reviews.

        Those of NSMC's crawl were CSV-quoted once, where the files with labels were so twice.
        """
        quoting = "field" if self.file_format.quoting == "nsmc" else self.file_format.quoting
        unlabelled = replace(
            self.file_format, label_column=None, group_column=None, quoting=quoting
        )
        return replace(self, file_format=unlabelled)


NSMC = CorpusForm(
    FileFormat(quoting="nsmc"),
    LabelRules(("negative", "positive"), {"0": "negative", "1": "positive"}),
)


@dataclass(frozen=True)
class Reviews:
    """Reviews in file order: `texts`, the numbers of their `labels` [N], which `label_names` names.

    Unlabelled reviews have the label 0. `left_out` counts the rows that are not here, by what they
    are: "without a text", for example. `groups` are empty where the corpus has none. `unused_keys`
    are those of data.label_map that no row of their file has.
    """

    texts: list[str]
    labels: LabelArray
    label_names: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    unused_keys: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: npt.NDArray[np.int64]) -> "Reviews":
        """The reviews of these rows."""
        texts, ids, groups = (
            [values[row] for row in rows] if values else []
            for values in (self.texts, self.ids, self.groups)
        )
        return Reviews(
            texts, self.labels[rows], self.label_names, {}, ids, groups, self.unused_keys
        )


def read_reviews(
    path: Path,
    form: CorpusForm = NSMC,
    *,
    keep_ids: bool = True,
    names: tuple[str, ...] = (),
    prefix: str = "",
) -> Reviews:
    """Read one file of a corpus; where there are `names`, no other labels are allowed.

    Rows without a text are left out. A review without an id is called by its number among the rows,
    after a `prefix` that tells the files of a corpus apart.
    Without `keep_ids` the reviews have none, which saves memory: the ids of a million take 60 MB.
    Raises FileNotFoundError for a missing file, and ValueError naming the file and the row for
    what `open_rows` refuses, for a damaged row and for a label that is not allowed: one that a
    corpus does not expect is no damage.
    """
    rules = form.labels.for_others(names) if names else form.labels
    texts, numbers, ids, groups = [], list[int](), [], []
    number_of: dict[str, int] = {}
    values = set[str]()
    left_out = Counter[str]()
    file_format = form.file_format
    has_labels = file_format.label_column is not None
    with open_rows(str(path), file_format) as rows:
        if has_labels and rows.format == "text":
            raise ValueError(
                f"{path}: plain text, which has no labels; for task=pretrain set "
                f"{file_format.option('label_column', 'null')}; "
                f"{file_format.option('format', 'tsv')} reads it as a table"
            )
        for index, (row, label, unknown) in enumerate(labelled(rows, rules.label_of), start=1):
            if unknown:
                raise ValueError(
                    f"{path}, {rows.unit} {row.line}: {unknown}; data.label_map can join it to a "
                    "label, or leave its rows out with null"
                )
            if row.error and row.error != NO_TEXT and not form.skip_damaged:
                way_out = "" if "data." in row.error else f"; {_WAY_OUT}"
                raise ValueError(f"{path}, {rows.unit} {row.line}: {row.error}{way_out}")
            if row.label is not None:
                values.add(row.label)
            if label is None:
                left_out[_REASONS.get(row.error, "that cannot be read")] += 1
                continue
            texts.append(row.text)
            numbers.append(number_of.setdefault(label, len(number_of)))
            if keep_ids:
                ids.append(row.id or f"{prefix}{index}")
            if row.group:
                groups.append(row.group)
    if not texts:
        raise ValueError(f"{path}: no row has a text{_listed(left_out)}")
    if len(number_of) > _MOST_LABELS:
        raise ValueError(
            f"{path}: {len(number_of):,} different labels; is "
            f"{file_format.option('label_column', file_format.label_column)} the right one?"
        )
    order = rules.ordered(number_of) if has_labels else ("",)
    position = np.array([order.index(label) for label in number_of], np.int16)
    unused = rules.unused_keys(values) if has_labels else []
    names = order if has_labels else ()
    return Reviews(texts, position[numbers], names, left_out, ids, groups, unused)


def _listed(left_out: Mapping[str, int]) -> str:
    parts = [f"{count:,} {reason}" for reason, count in left_out.items()]
    return f" that can be used ({', '.join(parts)})" if parts else ""


def without_spaces(text: str) -> str:
    """The text as it is compared where white space makes no difference."""
    return "".join(text.split())


def one_hot(labels: npt.NDArray[np.integer[Any]], label_count: int) -> npt.NDArray[np.float32]:
    """[N, C]: 1 for the label of each review, 0 for the others; [N, 0] without labels."""
    targets = np.zeros((len(labels), label_count), np.float32)
    if label_count:
        targets[np.arange(len(labels)), labels] = 1
    return targets
