"""Of a record only entries that a run could have written are read."""

import pytest

from nsmc.runs.record_fields import without_wrong_fields


def test_what_is_not_of_its_type_is_left_out() -> None:
    wrong = {"pid": -1, "threads": 10**9, "overrides": [1], "command": "a\nb", "seconds": 10**400}
    wrong |= {"history": 7, "error": "\ud800", "unknown": 1, "epochs": True, "recipe": []}
    metrics = {"val/accuracy": 0.5, "val/f1": float("nan"), "val/loss": 10**400, "x": True}
    right = {"status": "finished", "metrics": {"val/accuracy": 0.5}}
    assert without_wrong_fields({"status": "finished", "metrics": metrics, **wrong}) == right


def test_nesting_ends_at_twenty_levels() -> None:
    nested: object = 1
    for _ in range(19):
        nested = [nested]
    assert without_wrong_fields({"config": {"a": nested}}) == {"config": {"a": nested}}
    with pytest.raises(ValueError, match="config"):
        without_wrong_fields({"config": {"a": [nested]}})
