"""Which colour each row of a leaderboard gets."""

from pathlib import Path

from nsmc.reports.legend import PALETTE, legend_of
from tests.reports.factories import board_of, record


def test_colours_stand_for_the_architecture(tmp_path: Path) -> None:
    records = [
        record(0.1 * index, model__architecture=cell, data__batch_size=size)
        for index, (cell, size) in enumerate([("gru", 1), ("lstm", 1), ("gru", 2)])
    ]
    legend = legend_of(board_of(tmp_path, *records))
    assert legend.title == "architecture"
    assert legend.colours == {"gru": PALETTE[0], "lstm": PALETTE[1]}
    assert legend.of_row == ["gru", "lstm", "gru"]


def test_numbers_are_in_their_order(tmp_path: Path) -> None:
    board = board_of(tmp_path, *(record(0.5, model__lr=lr) for lr in (10, 0.5, 9)))
    assert [*legend_of(board).colours] == ["0.5", "9", "10"]


def test_too_many_values_get_one_colour(tmp_path: Path) -> None:
    board = board_of(tmp_path, *(record(0.5, model__lr=lr) for lr in range(40)))
    legend = legend_of(board)
    assert {legend.colours[group] for group in legend.of_row} == {PALETTE[0]}
