"""Configurations from before corpora could have any form: what their records mean today.

A key that is newer than a record had one value then, whatever is chosen today. So a run of before
and one of today that has these values are of the same setting, with the same signature.
"""

from collections.abc import Mapping
from typing import Any

# The only form and split that there were, those of NSMC, by section. Labels were two, 0 and 1.
_ONCE: dict[str, dict[str, Any]] = {
    "data": {
        **dict.fromkeys(("format", "delimiter", "id_column", "group_column")),
        **dict.fromkeys(("validation_file", "folds", "fold")),
        **{"encoding": "utf-8", "header": True, "quoting": "nsmc", "skip_damaged": False},
        **{"text_column": "document", "label_column": "label"},
        **{"test_file": "ratings_test.txt", "test_fraction": 0.1, "morphemes": False},
    },
    "model": {"class_weights": None},
    "linear": {"class_weights": None, "units": "characters"},
    "recipe": {"merge": None},
}
_NAMES = ["negative", "positive"]


def with_todays_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded configuration with the keys that it is too old to have."""
    sections = {
        name: {**once, **config[name]}
        for name, once in _ONCE.items()
        if isinstance(config.get(name), Mapping)
    }
    data = sections.get("data")
    if data is not None and "label_map" not in data:
        names = data.get("labels", _NAMES)
        if isinstance(names, list) and len(names) == 2:
            data |= {"labels": None, "label_map": dict(zip("01", names, strict=True))}
    elif data is not None:
        data.setdefault("labels", None)
    return {**config, **sections}


def without_newer_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """What counts of a configuration, as far as it has the values of then without today's keys."""
    sections = {
        name: {
            key: value
            for key, value in config[name].items()
            if key not in once or value != once[key]
        }
        for name, once in _ONCE.items()
        if config.get(name) is not None
    }
    data = sections["data"]
    if list(mapping := data.get("label_map") or {}) == ["0", "1"]:
        names = [*mapping.values()]
        if None not in names and len({*names}) == 2 and data.get("labels") in (None, names):
            del data["label_map"]
            data["labels"] = names
    return {**config, **sections}
