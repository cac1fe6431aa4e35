"""What a report's charts show, and how the two renderers draw it."""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from nsmc.reports.charts import NAMES, Chart, charts_of
from nsmc.reports.leaderboard import leaderboard
from nsmc.reports.legend import PALETTE
from nsmc.reports.records import read_runs
from nsmc.reports.render_plotly import figure
from nsmc.reports.render_png import draw, png
from tests.reports.factories import record, write, write_many


def charts_in(folder: Path, importances: dict[str, float] | None = None) -> dict[str, Chart]:
    runs = [run for run in read_runs([folder])[0] if run.status == "finished"]
    return {chart.name: chart for chart in charts_of(leaderboard(runs), importances or {})}


def two_architectures(folder: Path) -> dict[str, Chart]:
    """Of a GRU with two seeds and an LSTM with one, which is better and larger."""
    losses = [{"epoch": 1, "train/loss": 0.5}, {"epoch": 2, "train/loss": 0.4}]
    for name, cell, accuracy, size in (
        ("a", "gru", 0.7, 5),
        ("b", "gru", 0.8, 5),
        ("c", "lstm", 0.9, 7),
    ):
        made = record(accuracy, seed=ord(name), model__architecture=cell)
        write(folder / name, {**made, "bundle_bytes": size * 10**6, "history": losses})
    return charts_in(folder)


def test_settings_are_points_with_their_runs_behind_them(tmp_path: Path) -> None:
    chart = two_architectures(tmp_path)["metric_by_setting"]
    assert chart.y.names == ("lstm", "gru") and chart.y.short_names == ("1", "2")
    gru_runs, lstm_runs, gru, lstm = chart.series
    assert [(point.x, point.y) for point in gru_runs.points] == [(0.7, 1), (0.8, 1)]
    assert not lstm_runs.points  # one run is its own mean
    (mean,) = gru.points
    assert (mean.x, mean.deviation) == pytest.approx((0.75, 0.005**0.5))
    assert mean.hover == ("gru", "val/accuracy 0.7500 ± 0.0707", "2 runs")
    assert lstm.points[0].is_best and lstm.points[0].hover[-1] == f"{tmp_path}/c"
    assert [*chart.legend.colours] == ["gru", "lstm"]


def test_accuracy_is_shown_against_what_differs(tmp_path: Path) -> None:
    charts = two_architectures(tmp_path)
    points = [point for series in charts["accuracy_by_size"].series for point in series.points]
    assert [point.x for point in points] == [5, 7]
    assert points[1].hover[-1] == "bundle size 7.00 MB"
    assert charts["accuracy_by_size"].x.title == "bundle size / MB"
    assert "accuracy_by_time" not in charts  # all took as long


def test_every_run_has_a_learning_curve_and_the_best_a_thick_one(tmp_path: Path) -> None:
    charts = two_architectures(tmp_path)
    assert "metric_by_epoch" not in charts  # no run has recorded it
    gru, lstm, best = charts["train_loss_by_epoch"].series
    assert [point.y for point in gru.points] == [0.5, 0.4, None, 0.5, 0.4, None]
    assert best.points == lstm.points[:2] and best.width > lstm.width
    assert "(lstm)" in charts["train_loss_by_epoch"].caption


def test_an_outlying_loss_does_not_flatten_the_others(tmp_path: Path) -> None:
    history = [{"epoch": epoch, "train/loss": loss} for epoch, loss in enumerate((99, 0.6, 0.5), 1)]
    write(tmp_path / "0", {**record(0.8), "history": history})
    assert charts_in(tmp_path)["train_loss_by_epoch"].y.upper_limit == pytest.approx(1.8)


def test_one_run_has_nothing_to_compare_with(tmp_path: Path) -> None:
    write(tmp_path / "0", record(0.8))
    assert not charts_in(tmp_path)


def test_both_renderers_draw_every_chart(tmp_path: Path) -> None:
    write_many(tmp_path, 60)
    before = dict(mpl.rcParams)
    charts = charts_in(tmp_path, {"model.lr": 0.7, "seed": 0.3})
    assert tuple(charts) == NAMES
    for chart in charts.values():
        with Image.open(io.BytesIO(png(chart))) as image:
            image.load()
        traces = figure(chart)["data"]
        assert len(traces) == len(chart.series) + (
            len(chart.legend.colours) if chart.legend.title else 0
        )
    assert dict(mpl.rcParams) == before
    assert figure(charts["importance"])["data"][0]["text"] == ["0.700", "0.300"]


def test_the_renderers_agree_on_points_and_texts(tmp_path: Path) -> None:
    chart = two_architectures(tmp_path)["accuracy_by_size"]
    traces = [trace for trace in figure(chart)["data"] if trace["x"] != [None]]
    assert [trace["x"] for trace in traces] == [[5.0], [7.0]]
    assert traces[0]["error_y"]["array"] == [pytest.approx(0.005**0.5)]
    assert [trace["marker"]["symbol"] for trace in traces] == [["circle"], ["star"]]
    (axes,) = draw(chart).axes
    dots = [line for line in axes.lines if line.get_marker() in ("o", "*")]
    assert [(np.asarray(line.get_xdata())[0], line.get_marker()) for line in dots] == [
        (5.0, "o"),
        (7.0, "*"),
    ]
    assert [mpl.colors.to_hex(line.get_color()) for line in dots] == list(PALETTE[:2])
    assert axes.get_xlabel() == figure(chart)["layout"]["xaxis"]["title"]["text"] == chart.x.title


def test_gaps_part_the_lines(tmp_path: Path) -> None:
    chart = two_architectures(tmp_path)["train_loss_by_epoch"]
    (axes,) = draw(chart).axes
    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, False, True] * 2
    assert figure(chart)["data"][2]["y"] == [0.5, 0.4, None] * 2


@pytest.mark.parametrize("count", [2, 12])
def test_names_that_fonts_and_formulas_would_stumble_over(tmp_path: Path, count: int) -> None:
    names = ["_한국어 $x^", "$\\frac$", "a" * 300, "é\N{SNOWMAN}", "\ud800"]
    for index in range(count):
        name = names[index % len(names)] + str(index // len(names))
        made: dict[str, Any] = record(0.8, ckpt_path=name)
        history = [{"epoch": 1, "train/loss": 1e30}]
        write(tmp_path / str(index), {**made, "bundle_bytes": index + 1, "history": history})
    charts = charts_in(tmp_path, {"한 $": 0.5, "<b>": 0.25})
    assert len(charts) == 4
    for chart in charts.values():
        png(chart)
    assert figure(charts["importance"])["layout"]["yaxis"]["ticktext"] == ["한 $", "&lt;b&gt;"]
