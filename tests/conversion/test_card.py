"""The card of a bundle in another form says what has become of it."""

from pathlib import Path

import pytest

from nsmc.conversion.card import onnx_card, pruned_card, weights_card
from nsmc.conversion.convert import convert
from nsmc.runtime.bundle import CARD_FILE
from tests.bundles import config_of, random_bundle

METADATA = """\
---
license: mit
model-index:
- name: nsmc-gru
  results:
  - metrics:
    - type: accuracy
      value: 0.8865
tags:
- gru
---

"""


def test_an_int8_bundle_s_card_says_who_does_not_read_it(tmp_path: Path) -> None:
    made = convert(random_bundle(tmp_path / "bundle", "# A card\n"), "int8").folder
    card = (made / CARD_FILE).read_text("utf-8")
    assert card.startswith("# A card\n\n## The weights\n")
    assert "candle does not" in card


def test_float_weights_that_were_int8_do_not_claim_what_floats_had(tmp_path: Path) -> None:
    made = convert(random_bundle(tmp_path / "bundle", "# A card\n"), "int8").folder
    again = convert(made, "int8", tmp_path / "again").folder
    assert (again / CARD_FILE).read_text("utf-8") == (made / CARD_FILE).read_text("utf-8")
    for form in ("float32", "onnx"):
        card = (convert(made, form, tmp_path / form).folder / CARD_FILE).read_text("utf-8")
        assert card.count("## The weights\n") == 1
        assert "were int8 once" in card
        assert "candle" not in card


def test_a_card_stays_to_the_byte_where_nothing_is_to_be_said() -> None:
    assert weights_card("any\n\n\n", "float32", "float16") == "any\n\n\n"


def test_a_section_is_replaced_where_it_stands() -> None:
    card = "# A\n\n## How to use it\n\nold\n\n### more\n\n## Last\n\nend\n"
    changed = onnx_card(card, config_of(), "float32")
    assert "old" not in changed and "more" not in changed
    assert changed.startswith("# A\n\n## How to use it\n\n`nsmc.onnx` takes")
    assert changed.endswith("\n\n## Last\n\nend\n")


@pytest.mark.parametrize("card", ["", "# A\n"])
def test_a_card_without_the_section_gets_it(card: str) -> None:
    changed = onnx_card(card, config_of(), "int8")
    assert changed.startswith(f"{card}\n## " if card else "## ")
    assert "\n\n\n" not in changed


def test_results_in_the_metadata_go_and_the_rest_stays() -> None:
    card = pruned_card(f"{METADATA}# A\n", config_of(), 10_000)
    assert card.startswith("---\nlicense: mit\ntags:\n- gru\n---\n\n# A\n")
    last = METADATA.replace("tags:\n- gru\n", "")
    assert pruned_card(f"{last}# A\n", config_of(), 9).startswith("---\nlicense: mit\n---\n\n# A\n")
