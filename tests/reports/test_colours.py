"""Which colour each row of a leaderboard gets."""

from pathlib import Path

from nsmc.reports.colours import PALETTE, colouring
from tests.reports.factories import board_of, record


def test_colours_stand_for_the_architecture(tmp_path: Path) -> None:
    records = [
        record(0.1 * index, model__architecture=cell, data__batch_size=size)
        for index, (cell, size) in enumerate([("gru", 1), ("lstm", 1), ("gru", 2)])
    ]
    colours = colouring(board_of(tmp_path, *records))
    assert colours.title == "architecture"
    assert [(group.name, group.colour) for group in colours.groups] == [
        ("gru", PALETTE[0]),
        ("lstm", PALETTE[1]),
    ]
    assert colours.of_row == [PALETTE[0], PALETTE[1], PALETTE[0]]


def test_too_many_values_get_one_colour(tmp_path: Path) -> None:
    board = board_of(tmp_path, *(record(0.5, model__lr=lr) for lr in range(40)))
    assert set(colouring(board).of_row) == {PALETTE[0]}
