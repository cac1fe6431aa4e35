"""Learning curves from records and from Lightning's CSV files."""

from pathlib import Path

from nsmc.reports.curves import curve_from_csv, learning_curve


def test_a_curve_without_its_file_or_with_a_damaged_one_is_empty(tmp_path: Path) -> None:
    assert learning_curve([], tmp_path) == []
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "metrics.csv").write_bytes(b"\xff\xfe\x00epoch,\n0,\x00")
    assert learning_curve([], tmp_path) == []


def test_a_csv_file_without_epochs_has_no_points(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,val/loss\n1,0.5\n", encoding="utf-8")
    assert curve_from_csv(tmp_path / "metrics.csv") == []


def test_the_history_is_in_the_order_of_epochs(tmp_path: Path) -> None:
    history = [{"epoch": 2, "val/loss": 0.5}, {"epoch": 1, "val/loss": float("nan")}, "odd", {}]
    assert learning_curve(history, tmp_path) == [{"epoch": 1}, {"epoch": 2, "val/loss": 0.5}]
