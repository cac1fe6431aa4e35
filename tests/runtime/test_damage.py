"""Damaged rows are counted, too many of them are said to be, with the first reasons."""

import pytest

from nsmc.runtime.damage import Damage, Tally


def tally_of(*errors: str) -> Tally:
    tally = Tally()
    for line, error in enumerate(errors, start=2):
        tally.add(line, error)
    return tally


@pytest.mark.parametrize(("sound", "too_much"), [(9, False), (8, True), (0, True)])
def test_more_than_a_tenth_is_too_much(sound: int, too_much: bool) -> None:
    assert tally_of("no text", *[""] * sound).is_too_much == too_much


def test_the_first_different_reasons_are_named() -> None:
    tally = tally_of("a", "", "a", "b", "a", "c", "d")
    assert (tally.rows, tally.damaged) == (7, 6)
    assert str(tally) == "6 of 7 rows cannot be read (line 2: a; line 5: b; line 7: c)"


def test_the_first_thousand_are_kept() -> None:
    tally = tally_of(*["no text"] * 1_200)
    assert tally.damaged == 1_200
    assert tally.first == [Damage(line, "no text") for line in range(2, 1_002)]


def test_some_are_told_one_by_one_and_how_many_more_there_are() -> None:
    assert tally_of("a", "", "b").messages == ["line 2: a", "line 4: b"]
    many = tally_of(*["a"] * 1_200)
    many.unit = "row"
    assert many.messages[:2] == ["row 2: a", "row 3: a"]
    assert many.messages[10:] == ["1,190 more rows cannot be read"]
