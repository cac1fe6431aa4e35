"""Hints at an extra name one that there is, in a form that works in a clone."""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_every_extra_that_is_hinted_at_exists_and_nothing_is_said_to_be_published() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    sources = [path.read_text(encoding="utf-8") for path in PROJECT.glob("nsmc/**/*.py")]
    hinted = {name for text in sources for name in re.findall(r'needs_extra\(.*"(\w+)"\)', text)}
    hinted |= {name for text in sources for name in re.findall(r"needs_extra\(.*'(\w+)'\)", text)}
    optional = {"hub", "linear", "morphemes", "onnx", "parquet", "search", "postgresql", "serve"}
    assert hinted == {"train", *optional} <= set(extras)
    assert not [text for text in sources if "nsmc[" in text]
