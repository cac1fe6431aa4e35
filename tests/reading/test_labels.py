"""Values of a file's label column become labels: mapped, joined, left out, in a stable order."""

import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsmc.reading.labels import LabelRules, label_text, listed, positions

STARS = LabelRules(
    mapping={"1-4": "negative", "5": None, "6": "mixed", "7-10": "positive", "none": None}
)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *(("1", "negative"), ("4", "negative"), ("2.5", "negative"), ("10", "positive")),
        *(("6", "mixed"), ("5", None), ("none", None)),
    ],
)
def test_values_and_ranges_join_and_leave_out(value: str, label: str | None) -> None:
    assert STARS.label_of(value) == label


@pytest.mark.parametrize("value", ["0", "4.5", "11", "-1", "one", "1-3", ""])
def test_a_value_that_is_not_mapped_is_refused_with_those_that_are(value: str) -> None:
    with pytest.raises(ValueError, match=rf"'{value}' is not in data.label_map \('1-4', '5',"):
        STARS.label_of(value)


def test_negative_numbers_have_ranges_too() -> None:
    rules = LabelRules(mapping={"-5--1": "bad", "0-5": "good"})
    assert [rules.label_of(value) for value in ("-5", "-1", "0", "5")] == ["bad"] * 2 + ["good"] * 2


def test_labels_that_are_listed_are_the_only_ones() -> None:
    rules = LabelRules(("negative", "positive"))
    assert rules.label_of("positive") == "positive"
    with pytest.raises(ValueError, match=r"'mixed' is not one of data.labels \('negative', 'pos"):
        rules.label_of("mixed")


@pytest.mark.parametrize(
    ("rules", "found", "ordered"),
    [
        (LabelRules(), ["10", "9", "-1", "2.5"], ("-1", "2.5", "9", "10")),
        (LabelRules(), ["10", "9", "b"], ("10", "9", "b")),
        (LabelRules(), ["긍정", "부정", "a"], ("a", "긍정", "부정")),
        (LabelRules(("b", "a")), ["a"], ("b", "a")),
        (LabelRules(), ["10", "9", "07"], ("07", "10", "9")),  # a code is not the number 7
        (STARS, ["positive", "mixed", "negative"], ("negative", "mixed", "positive")),
        (STARS, ["positive"], ("negative", "mixed", "positive")),  # all that are mapped
    ],
)
def test_labels_have_a_stable_order(
    rules: LabelRules, found: list[str], ordered: tuple[str, ...]
) -> None:
    assert rules.ordered(found) == rules.ordered(reversed(found)) == ordered


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"names": ("a", "a")}, "expected names that differ"),
        ({"names": ("a", "")}, "expected names that differ"),
        ({"names": ("a", "b"), "mapping": {"1": "c"}}, "'1' becomes 'c', which is not one of data"),
        ({"mapping": {"4-1": "a"}}, "'4-1' is no range"),
        ({"mapping": {"3-5": "b", "1-4": "a"}}, "'1-4' and '3-5' overlap"),
        ({"mapping": {"1-4": "a", "4-5": "b"}}, "'1-4' and '4-5' overlap"),
        ({"mapping": {"6-10": "a", "7": None, "x": "b"}}, "'6-10' and '7' overlap"),
        ({"mapping": {"-5--1": "a", "-1.0": "b"}}, "'-5--1' and '-1.0' overlap"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        LabelRules(**settings).check()


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ((3, 3.0, "3", " 3 ", "3.0", "3.", "+3", "0.3e1", Decimal("3.00")), "3"),
        ((0, 0.0, -0.0, "-0", "0e3", "-0.00"), "0"),
        ((0.5, "0.5", "0.50", ".5", "+0.50", "5E-1"), "0.5"),
        ((-1, "-1.0"), "-1"),
        ((1000, 1e3, "1e3", "1E+3", "1000.0"), "1000"),
        ((1e16, 10**16, "1e16"), "1" + "0" * 16),
        ((1e-5, "0.00001", "1e-05"), "0.00001"),
        ((True, "True", "true", "TRUE"), "true"),
        ((False, "FALSE"), "false"),
        ((unicodedata.normalize("NFD", "긍정"), " 긍정"), "긍정"),
        ((None, float("nan"), Decimal("NaN"), "", " "), ""),
        (([1], {"a": 1}, b"1", float("inf")), None),
    ],
)
def test_a_label_is_the_same_text_from_every_format(values: list[object], label: str) -> None:
    assert [label_text(value) for value in values] == [label] * len(values)


@pytest.mark.parametrize(
    "text", ["007", "00", "01.5", "nan", "NA", "1.2.3", "1,000", "1-4", "yes", "1e9999", "0x1"]
)
def test_codes_and_words_stay_as_they_are(text: str) -> None:
    assert label_text(text) == text


@given(
    st.one_of(st.integers(), st.text(), st.booleans(), st.floats(), st.decimals(allow_nan=False))
)
def test_the_text_of_a_label_is_the_label_s_text(value: object) -> None:
    text = label_text(value)
    assert text is None or label_text(text) == text


NFD = unicodedata.normalize("NFD", "긍정")


def test_names_and_maps_of_before_are_found_by_what_a_file_s_values_are_today() -> None:
    """Which is "true", "0.5", "1" and NFC, however names and keys were kept."""
    names = ("True", "0.50", "+1", NFD)
    assert [LabelRules(names).label_of(value) for value in ("true", "0.5", "1", "긍정")] == [*names]
    rules = LabelRules(names, {"1.0": "True", "FALSE": "0.5", NFD: "긍정", "007": None})
    values = ("1", "false", "긍정", "007")
    assert [rules.label_of(value) for value in values] == ["True", "0.50", NFD, None]


def test_what_was_told_apart_before_and_is_one_value_today_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the labels '1' and '1.0' are different ones here, but"):
        LabelRules(("1", "1.0")).label_of("1")
    with pytest.raises(ValueError, match=r"the labels 'True' and 'true' are different ones here"):
        LabelRules(("a", "b"), {"True": "a", "true": "b"}).label_of("true")
    assert LabelRules(("a", "b"), {"True": "a", "true": "a", "0": "b"}).label_of("true") == "a"


@pytest.mark.parametrize(
    ("names", "others", "expected"),
    [
        (("b", "a"), ("a", "b"), [1, 0]),
        (("true", "0.5", "긍정"), (NFD, "True", "0.50"), [1, 2, 0]),
        (("a", "b"), ("a", "c"), None),
        (("a", "b"), ("a", "b", "c"), None),
        (("1", "1.0"), ("1", "1.0"), None),
    ],
)
def test_labels_are_the_same_however_they_are_written(
    names: tuple[str, ...], others: tuple[str, ...], expected: list[int] | None
) -> None:
    assert positions(names, others) == expected


def test_a_code_is_no_number_of_a_range() -> None:
    rules = LabelRules(mapping={"01": "a", "1": "b", "2-10": "c", "01-05": "d"})
    rules.check()  # nothing overlaps
    assert [rules.label_of(value) for value in ("01", "1", "2", "01-05")] == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match=r"'007' is not in data\.label_map"):
        rules.label_of("007")


def test_keys_that_no_value_belongs_to_are_unused() -> None:
    rules = LabelRules(mapping={"1-5": "a", "6-10": "b", "11-12": "b", "13": None, "0.50": "c"})
    assert rules.unused_keys(["1", "7", "0.5"]) == ["11-12", "13"]
    assert LabelRules().unused_keys(["1"]) == []


def test_a_message_names_a_few_labels() -> None:
    assert listed(map(str, range(12))) == ", ".join(f"'{i}'" for i in range(10)) + " and 2 more"
