"""From what a file has in its label column to numbers of a bundle's labels."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import suppress

from nsmc.reading.labelled import labelled
from nsmc.reading.labels import LabelRules, UnknownLabelError, listed
from nsmc.reading.rows import Row
from nsmc.runtime.bundle import BundleConfig
from nsmc.runtime.file_form import label_values

_LOOK_AHEAD = 1_000  # rows whose labels are named, too, where one is not the bundle's


class BundleLabels:
    """The labels of a file are a bundle's own names, or what its corpus called them: `mapped`.

    A label that is both, and means another one by each, is read as are those of the file that are
    only one of them; or `reading` says how all are read. `unused` counts the rows whose value the
    bundle's corpus left out. `unit` is what a row is called.

    Raises ValueError for the reading `mapped` of a bundle whose corpus had the names themselves.
    """

    def __init__(self, config: BundleConfig, unit: str = "line", reading: str | None = None):
        self.names, self.unit, self.unused = config.labels, unit, 0
        mapped = label_values(config.reading, config.labels)
        readings = {"mapped": mapped, "names": LabelRules(config.labels)}
        if mapped.mapping is None:
            del readings["mapped"]
        self.known = listed(dict.fromkeys([*(mapped.mapping or ()), *self.names]))
        if reading is not None and reading not in readings:
            raise ValueError(f"--labels {reading}: the bundle has no label_map, only names")
        self._readings = {reading: readings[reading]} if reading else readings
        self._line = 0  # of the row whose label is looked up
        # By reading, a value that only this one knows, with its line.
        self._of_one = dict[str, tuple[str, int]]()
        self._seen, self._ambiguous = set[str](), set[str]()

    def numbered(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows with numbers for labels, without those whose label is to be left out.

        Raises ValueError for a label that is not the bundle's, and where it remains open which of
        two a label means.
        """
        remaining = self._decided(self._followed(rows))
        for row, label, unknown in labelled(remaining, self._label_of):
            if unknown:
                others = {each.label or "" for each in itertools.islice(remaining, _LOOK_AHEAD)}
                raise ValueError(self._foreign(row, others))
            if row.error:
                yield row
            elif label is None:
                self.unused += 1
            else:
                yield row._replace(label=str(self.names.index(label)))

    def _followed(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, with `_line` at the last one."""
        for row in rows:
            self._line = row.line
            yield row

    def _decided(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows; those up to the first label that says how the others are read are read ahead.

        Only where a label can mean two.
        """
        if not any(_differ(self._meanings(name)) for name in self.names):
            return rows
        held, open_values = list[Row](), set[str]()
        for row in rows:
            held.append(row)
            if row.error or row.label is None or row.label in open_values:
                continue
            if len(self._meanings(row.label)) < 2:  # or it is foreign, and refused
                self._label_of_one(row.label)
                return itertools.chain(held, rows)
            open_values.add(row.label)
        if ambiguous := sorted(v for v in open_values if _differ(self._meanings(v))):
            raise ValueError(
                f"{listed(ambiguous)}: labels of the bundle by name, but others by its label_map, "
                "and nothing in the file says which they are; choose with --labels names or "
                "--labels mapped"
            )
        return iter(held)

    def _meanings(self, value: str) -> dict[str, str | None]:
        """What a value means by each reading that knows it."""
        meanings = {}
        for reading, rules in self._readings.items():
            with suppress(UnknownLabelError):
                meanings[reading] = rules.label_of(value)
        return meanings

    def _label_of_one(self, value: str) -> None:
        """Remember a value that only one reading knows."""
        for reading in self._meanings(value):
            self._of_one.setdefault(reading, (value, self._line))

    def _label_of(self, value: str) -> str | None:
        self._seen.add(value)
        meanings = self._meanings(value)
        if not meanings:
            raise UnknownLabelError(value)
        if _differ(meanings):
            self._ambiguous.add(value)
        elif len(meanings) < len(self._readings):
            self._label_of_one(value)
        if self._ambiguous and len(self._of_one) > 1:
            named, mapped = (
                f"{self._of_one[reading][0][:40]!r} ({self.unit} {self._of_one[reading][1]})"
                for reading in ("names", "mapped")
            )
            raise ValueError(
                f"{listed(sorted(self._ambiguous))}: labels of the bundle by name, but others by "
                f"its label_map, and the file has both: {named} is only a name, {mapped} only in "
                "the map; rewrite the labels"
            )
        reading = next(iter(self._of_one), None)
        return meanings[reading] if reading in meanings else next(iter(meanings.values()))

    def _foreign(self, row: Row, others: set[str]) -> str:
        value = row.label or ""
        found = LabelRules().ordered({*self._seen, value, *others} - {""})
        return (
            f"{self.unit} {row.line}: label {value[:40]!r} is not one of the bundle's; the file "
            f"has {listed(found)}, the bundle {self.known}: rewrite the labels, or name another "
            "column with --label-column"
        )


def _differ(meanings: dict[str, str | None]) -> bool:
    return len({*meanings.values()}) > 1
