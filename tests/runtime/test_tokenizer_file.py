"""The form of `tokenizer.json`: read by all, and cut at a bundle's `max_length`."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from nsmc.runtime.bundle import TOKENIZER_FILE, rewrite_config
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.tokenizer_file import portable
from tests import bundles
from tests.bundles import TOKENIZER, random_bundle

CONTENT = bundles.TOKENIZER_FILE.read_text("utf-8")
TEXT = "이 영화 정말 최고예요 " * 30


def test_a_program_that_just_encodes_gets_the_first_max_length_ids(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", max_length=9)
    predictor = Predictor.load(folder)
    texts = [TEXT, "ㅋ" * 100, "a", "", " "]
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    expected = predictor.encode(texts)
    assert max(map(len, expected)) == 9
    assert [encoding.ids for encoding in tokenizer.encode_batch(texts)] == expected


def test_a_bundle_whose_tokenizer_cuts_nothing_answers_the_same(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", max_length=9)
    predictor = Predictor.load(folder)
    path = folder / TOKENIZER_FILE
    path.write_text(portable(path.read_text("utf-8"), None), "utf-8")
    rewrite_config(folder, predictor.config, "")
    assert json.loads(path.read_text("utf-8"))["truncation"] is None
    assert Predictor.load(folder)([TEXT, "a"]) == predictor([TEXT, "a"])


def test_another_max_length_replaces_that_of_the_file() -> None:
    content = CONTENT
    once = portable(content, 5)
    assert portable(portable(content, 3), 5) == once
    assert portable(once, 5) == once
    assert len(Tokenizer.from_str(once).encode(TEXT).ids) == 5
    whole = Tokenizer.from_str(portable(once, None))
    assert whole.truncation is None
    assert whole.encode(TEXT).ids == TOKENIZER.encode(TEXT)


def test_what_a_user_s_own_file_pads_and_how_it_writes_merges_is_not_kept(tmp_path: Path) -> None:
    own = Tokenizer.from_str(CONTENT)
    own.enable_padding(length=50)
    path = tmp_path / "own.json"
    own.save(str(path))  # with merges as pairs
    content = json.loads(portable(path.read_text("utf-8"), 64))
    assert content["padding"] is None
    assert all(merge.count(" ") == 1 for merge in content["model"]["merges"])


@pytest.mark.parametrize("max_length", [None, 4])
def test_nothing_else_changes(max_length: int | None) -> None:
    before, after = (
        json.loads(CONTENT),
        json.loads(portable(CONTENT, max_length)),
    )
    changed = {key for key in before if before[key] != after[key]}
    assert changed == ({"truncation"} if max_length else set())
    for content in (before, after):
        del content["model"]["merges"]
    assert before["model"] == after["model"]
