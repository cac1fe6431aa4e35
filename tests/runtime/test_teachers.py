"""What a student's configuration says of its teachers, and what it may not say."""

import json
from pathlib import Path
from typing import Any

import pytest

from nsmc.runtime.bundle import CONFIG_FILE, flat
from nsmc.runtime.loading import read_config
from nsmc.runtime.teachers import Knowledge, all_knowledge, teachers_entry
from tests.bundles import config_of, random_bundle

ENTRY: dict[str, Any] = {
    "count": 3,
    "with_morphemes": 2,
    "morphemes": {"kiwipiepy": ["0.23.0", "0.24.1"], "kiwipiepy_model": []},
    "unknown": 1,
}

BEHIND = {"morphemes": ENTRY["morphemes"], "unknown": True}

NONE = {"count": 0, "with_morphemes": 0, "morphemes": {}, "unknown": 0}


def test_what_all_teachers_bring_is_together() -> None:
    newer = Knowledge({"kiwipiepy": ["0.24.1"], "kiwipiepy_model": []})
    older = Knowledge({"kiwipiepy": ["0.23.0", "0.24.1"]}, unknown=True)
    assert teachers_entry([newer, older, Knowledge()]) == ENTRY
    assert teachers_entry([]) is None
    assert teachers_entry([], Knowledge(**BEHIND)) == {**NONE, "inherited": BEHIND}
    assert "teachers" not in flat(config_of())


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    for entry in (ENTRY, {**ENTRY, "inherited": BEHIND}, {**NONE, "inherited": BEHIND}):
        bundle = random_bundle(tmp_path / "bundle", teachers=entry)
        assert read_config(bundle / CONFIG_FILE).teachers == entry


def test_what_inherited_teachers_bring_is_behind_the_weights_too() -> None:
    own = teachers_entry([Knowledge({"kiwipiepy": ["0.22.0"]})], Knowledge(**BEHIND))
    assert own is not None
    versions = {"kiwipiepy": ["0.22.0", "0.23.0", "0.24.1"], "kiwipiepy_model": []}
    assert all_knowledge(own) == Knowledge(versions, unknown=True)
    assert all_knowledge(ENTRY) == Knowledge(**BEHIND)
    assert all_knowledge(NONE | {"count": 1}) == Knowledge()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ([], "it is [], not a table"),
        ({"count": 0}, "count is 0; expected an integer from 1 to 1,000,000"),
        ({"count": True}, "count is True; expected an integer from 1 to 1,000,000"),
        ({"count": 10**40}, f"count is 1{'0' * 39}; expected an integer from 1 to 1,000,000"),
        ({"morphemes": {f"p{n}": [] for n in range(21)}}, "morphemes is {'p0': []"),
        ({"morphemes": {"kiwi": ["1"] * 21}}, "morphemes is {'kiwi': ['1'"),
        ({"inherited": True}, "inherited is True; expected morphemes and unknown"),
        ({"inherited": {"morphemes": {}}}, "inherited is {'morphemes': {}}; expected"),
        ({"inherited": {**BEHIND, "unknown": 1}}, "inherited is {'morphemes': {'kiwipiepy': ['0.2"),
        (
            {"inherited": {**BEHIND, "morphemes": []}},
            "inherited is {'morphemes': [], 'unknown': Tru",
        ),
        (
            {"inherited": BEHIND, "count": -1},
            "count is -1; expected an integer from 0 to 1,000,000",
        ),
        ({"with_morphemes": 4}, "with_morphemes is 4; expected an integer up to 3"),
        ({"unknown": -1}, "unknown is -1; expected an integer up to 3"),
        ({"unknown": None}, "unknown is None; expected an integer up to 3"),
        ({"morphemes": None}, "morphemes is None; expected versions of packages"),
        ({"morphemes": {}}, "morphemes is {}; expected versions of packages"),
        ({"with_morphemes": 0}, "morphemes is {'kiwipiepy': ['0.23.0', '0.24.1'], 'kiw; expected"),
        ({"morphemes": {"kiwi": "0.1"}}, "morphemes is {'kiwi': '0.1'}; expected"),
        ({"morphemes": {"kiwi": [1]}}, "morphemes is {'kiwi': [1]}; expected"),
        ({"morphemes": {"[x](y)": []}}, "morphemes is {'[x](y)': []}; expected"),
    ],
)
def test_what_nobody_would_have_written_is_refused(
    tmp_path: Path, changes: Any, problem: str
) -> None:
    path = random_bundle(tmp_path / "bundle") / CONFIG_FILE
    config = json.loads(path.read_text("utf-8"))
    config["teachers"] = {**ENTRY, **changes} if isinstance(changes, dict) else changes
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError) as raised:
        read_config(path)
    assert str(raised.value).startswith(f"{path}: teachers is damaged: {problem}")
