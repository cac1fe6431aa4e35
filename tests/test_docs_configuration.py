"""docs/configuration.md is what the schema and the YAML files say now, of every key."""

import inspect
import re
from pathlib import Path

import pytorch_lightning as L

from docs.configuration import declared, entries, page
from nsmc.config.schema import KEYS
from tests.commands import PROJECT


def test_the_page_is_not_stale() -> None:
    stored = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert stored == page(), "run: make docs"


def test_every_key_has_a_default_and_says_what_it_means() -> None:
    entries = declared()
    keys = [key for key in KEYS if not KEYS.is_section(key) and not key.startswith("recipe.")]
    unexplained = [key for key in keys if key not in entries or not entries[key].text]
    assert unexplained == []


def test_a_comment_goes_on_below(tmp_path: Path) -> None:
    path = tmp_path / "group.yaml"
    path.write_text("# the command\na: 1  # one,\n      # and more\nb:    # section\n  c: [x]\n")
    assert entries(path, "group.") == [
        ("group.a", "1", "one, and more"),
        ("group.b", "", "section"),
        ("group.b.c", "[x]", ""),
    ]


def test_what_is_allowed_is_what_the_schema_allows() -> None:
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| `")]
    allowed = {row[0].strip("| `"): row[-1].removesuffix(" |") for row in rows if len(row) == 4}
    assert allowed["data.bpe_dropout"] == "a number from 0 below 1"
    assert allowed["data.vocab_size"] == "a whole number from 257 up to 1,000,000"
    assert allowed["trainer.threads"] == "a whole number from 1 or `null`"
    assert allowed["model.optimizer"] == "`adam`, `adamw` or a mapping"
    assert allowed["model.num_filters"] == "a whole number from 1 up to 65,536; of `model=cnn`"
    said = {row[0].strip("| `"): row[2] for row in rows if len(row) == 4}
    assert said["linear.min_count"] == "reviews that an n-gram must occur in"
    assert all(said[key] for key in KEYS if key in said)
    assert allowed["search.sampler"] == "`tpe`, `gp`, `random`"


def test_each_argument_of_the_trainer_is_in_one_row_of_its_table() -> None:
    table = page().partition("## Arguments of Lightning's Trainer")[2]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    named = [
        name
        for _, count, cell in rows[2:]
        for name in [re.findall(r"(?:^|<br>|, )`(\w+)`", cell)]
        if int(count) == len(name)
    ]
    assert sorted(name for names in named for name in names) == sorted(
        inspect.signature(L.Trainer).parameters
    )
    assert len(named) == 4
