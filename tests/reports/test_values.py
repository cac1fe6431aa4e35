"""Values from records, made safe to compare and to show."""

from nsmc.reports.values import clean, ellipsize_middle, flatten
from nsmc.terminal import ellipsize


def test_values_are_made_comparable() -> None:
    config = {"a": {"b": True, "c": None, "d": [1, "x"]}, "e": 1, "f": 0.5, "g": "a\nb", "h": {}}
    flattened = {"a.b": "true", "a.c": "null", "a.d": '[1, "x"]', "e": 1, "f": 0.5, "g": "a b"}
    assert flatten(config) == flattened
    assert clean("\ud800 한\u202e") == "\ufffd 한\ufffd"
    assert ellipsize_middle("abcdefghij", 5) == "ab…ij" and ellipsize_middle("abc", 3) == "abc"
    assert ellipsize("한국어abc", 7) == "한국어…" and ellipsize("한국어", 6) == "한국어"
