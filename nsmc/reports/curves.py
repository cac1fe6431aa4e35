"""A run's learning curve, a point for each epoch: from its record, or else from Lightning's CSV."""

import csv
import io
from pathlib import Path

from nsmc.reports.values import finite_number, finite_numbers
from nsmc.small_files import read_text

Curve = list[dict[str, float]]  # {"epoch": 1, "val/accuracy": 0.8, "train/loss": 0.4, …}

CSV_FILE = Path("csv", "metrics.csv")
_MAX_BYTES = 64 << 20  # about a million lines


def learning_curve(history: object, folder: Path) -> Curve:
    """The record's history; if it has none, what `csv/metrics.csv` in the folder says."""
    if isinstance(history, list) and history:
        points = [finite_numbers(point) for point in history]
        return sorted(
            ({"epoch": float(epoch), **point} for epoch, point in enumerate(points, 1) if point),
            key=lambda point: point["epoch"],
        )
    try:
        return curve_from_csv(folder / CSV_FILE)
    except (OSError, ValueError, csv.Error):  # a report is worth having without this curve
        return []


def curve_from_csv(path: Path) -> Curve:
    """The last value of each metric in each epoch. Raises OSError, ValueError or csv.Error.

    CSVLogger writes a line whenever something is logged, with empty cells for the rest; it counts
    epochs from 0, and calls an epoch's training loss `train/loss_epoch`.
    """
    points: dict[float, dict[str, float]] = {}
    for line in csv.DictReader(io.StringIO(read_text(path, _MAX_BYTES), newline="")):
        cells = finite_numbers({key: _parse(cell) for key, cell in line.items() if key})
        if "epoch" not in cells:
            continue
        epoch = cells.pop("epoch") + 1
        point = points.setdefault(epoch, {"epoch": epoch})
        point |= {key.removesuffix("_epoch"): value for key, value in cells.items()}
    # Learning rates are logged within an epoch; an epoch with nothing else gets no point.
    return [points[epoch] for epoch in sorted(points) if _has_results(points[epoch])]


def _has_results(point: dict[str, float]) -> bool:
    return any(key.startswith("val/") or key == "train/loss" for key in point)


def _parse(cell: object) -> float | None:
    try:
        return finite_number(float(cell)) if isinstance(cell, str) else None
    except ValueError:
        return None
