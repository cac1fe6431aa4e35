"""The ids of a text's beginning are those of the whole text, whatever it is."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.runtime import tokenization
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.tokenization import token_ids
from nsmc.runtime.tokenizer import BundleTokenizer
from tests.hostile import HOSTILE, NORMALIZATIONS, PARTS, train_tokenizers

Tokenizers = Mapping[str, BundleTokenizer]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tokenizers by their normalization; a library that cannot train finds them in NSMC_TRAINED."""
    if "NSMC_TRAINED" in os.environ:
        return Path(os.environ["NSMC_TRAINED"])
    folder = tmp_path_factory.mktemp("trained")
    train_tokenizers(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizers(folder: Path) -> Tokenizers:
    return {name: read_tokenizer(folder / f"{name}.json") for name in NORMALIZATIONS}


def whole(tokenizer: BundleTokenizer, text: str, max_length: int) -> list[int]:
    return tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"))[:max_length]


@pytest.fixture
def eager() -> Iterator[None]:
    """Lets every text be cut as soon as there are more characters than tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenization, "_PER_TOKEN", 1)
        patch.setattr(tokenization, "_SHORT", 0)
        yield


texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=30).map("".join)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@settings(deadline=None, max_examples=100)
@given(text=texts)
def test_wherever_a_text_may_be_cut_its_ids_begin_with_those_of_the_beginning(
    tokenizers: Tokenizers, normalization: str, text: str
) -> None:
    tokenizer = tokenizers[normalization]
    of_all = whole(tokenizer, text, len(text) * 40)
    for end in range(len(text)):
        start = tokenization._start(text, end)
        ids = whole(tokenizer, start, len(text) * 40)
        assert ids == of_all[: len(ids)]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("max_length", [1, 7, 128])
def test_the_ids_of_hostile_texts_are_those_of_the_whole(
    tokenizers: Tokenizers, normalization: str, max_length: int
) -> None:
    tokenizer = tokenizers[normalization]
    found = token_ids(tokenizer, HOSTILE, max_length)
    assert found == [whole(tokenizer, text, max_length) for text in HOSTILE]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_every_character_may_stand_before_the_cut(
    tokenizers: Tokenizers, normalization: str, eager: None
) -> None:
    tokenizer = tokenizers[normalization]
    ranges = (range(0x3400), range(0xAC00, 0xAC20), range(0xD7B0, 0x10000), range(0x1D100, 0x1F000))
    many = [f"a{chr(code)} {chr(code)}b c" for codes in ranges for code in codes]
    assert token_ids(tokenizer, many, 3) == [whole(tokenizer, text, 3) for text in many]


def test_of_a_long_text_only_the_beginning_is_tokenized(
    tokenizers: Tokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = list[int]()
    encoded = tokenization._encoded

    def spy(tokenizer: BundleTokenizer, texts: list[str], max_length: int) -> list[list[int]]:
        lengths.extend(map(len, texts))
        return encoded(tokenizer, texts, max_length)

    monkeypatch.setattr(tokenization, "_encoded", spy)
    found = token_ids(tokenizers["nfc"], ["정말 재미있는 영화 " * 100_000, "짧은 글"], 64)
    assert [len(ids) for ids in found] == [64, len(whole(tokenizers["nfc"], "짧은 글", 64))]
    assert max(lengths) < 1000


def test_texts_are_tokenized_in_batches_of_bounded_size() -> None:
    sizes = ["x" * size for size in (10, 70_000, 60_000, 5_000, 5_000, 70_000)]
    batches = list(tokenization._batches(sizes))
    assert [text for batch in batches for text in batch] == sizes
    assert all(len(batch) == 1 or sum(map(len, batch)) <= 1 << 16 for batch in batches)


def test_a_text_with_replacements_is_read_whole(
    folder: Path, tokenizers: Tokenizers, tmp_path: Path, eager: None
) -> None:
    # "b c" lies on both sides of the only cut.
    content = json.loads((folder / "nfc.json").read_text(encoding="utf-8"))
    replace = {"type": "Replace", "pattern": {"String": "b c"}, "content": "q"}
    content["normalizer"] = {"type": "Sequence", "normalizers": [replace]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    tokenizer = read_tokenizer(tmp_path / "tokenizer.json")
    assert token_ids(tokenizer, ["ab cd"], 2) == [whole(tokenizer, "ab cd", 2)]
    assert token_ids(tokenizer, ["ab cd"], 2) != token_ids(tokenizers["nfc"], ["ab cd"], 2)


def test_what_takes_too_much_memory_raises_memory_error(
    tokenizers: Tokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenization, "_PER_BYTE", 1 << 46)
    with pytest.raises(MemoryError):
        token_ids(tokenizers["nfc"], ["글", "글"], 2)
