"""The tokenizer is lossless, never makes text into padding, and its file is readable everywhere."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers

from nsmc.data.tokenizer import (
    NORMALIZERS,
    PAD_ID,
    PAD_TOKEN,
    encode,
    save_tokenizer,
    train_tokenizer,
)
from tests.bundles import wrapped

REVIEWS = [
    "정말 재미있는 영화였다",
    "영화 정말 재미없다 <pad> 영화",
    "don't miss this 100% great movie!!",
    "<pad><pad> <pad>\n<pad>",
    *["<pad> 패딩 <pad>"] * 50,
]

# Unicode's White_Space property. Python's str.strip also takes U+001C to U+001F.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)

# Characters of Unicode 3.2: the library's normalization tables and Python's are of different
# ages, and these normalize alike in all later ones.
characters = st.one_of(
    st.sampled_from("가각ㄱㅏ\u1100\u1161\u11a8e\u0301\u0323<pad> \n"),
    st.characters(exclude_categories=["Cs", "Cn"]).filter(
        lambda character: unicodedata.ucd_3_2_0.category(character) != "Cn"
    ),
)


def trained(normalization: str = "nfc") -> Tokenizer:
    return train_tokenizer(REVIEWS, vocab_size=400, min_frequency=1, normalization=normalization)


TOKENIZERS = {normalization: trained(normalization) for normalization in NORMALIZERS}


def ids_of(tokenizer: Tokenizer, text: str) -> list[int]:
    [[token_ids]] = encode(wrapped(tokenizer), [text])
    return token_ids


def saved_json(tokenizer: Tokenizer, folder: Path) -> dict[str, Any]:
    save_tokenizer(tokenizer, folder / "tokenizer.json")
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))


# Padding


@pytest.mark.parametrize("normalization", NORMALIZERS)
def test_padding_is_id_0_and_the_256_bytes_follow(normalization: str) -> None:
    tokenizer = TOKENIZERS[normalization]
    vocabulary = tokenizer.get_vocab()
    assert (PAD_TOKEN, PAD_ID) == ("<pad>", 0)
    assert vocabulary["<pad>"] == 0
    assert {vocabulary[byte] for byte in pre_tokenizers.ByteLevel.alphabet()} == set(range(1, 257))


@pytest.mark.parametrize("normalization", NORMALIZERS)
def test_text_that_spells_the_padding_is_text(normalization: str) -> None:
    tokenizer = TOKENIZERS[normalization]
    for text in ("<pad>", "<pad><pad>", "a<pad>b", "< pad>", "<PAD>", "<pad> <pad>", "<<pad>>"):
        token_ids = ids_of(tokenizer, text)
        assert 0 not in token_ids
        assert tokenizer.decode(token_ids) == text


@settings(deadline=None, max_examples=200)
@given(
    pieces=st.lists(
        st.one_of(st.sampled_from(["<pad>", "<", "pad", ">", " "]), st.text(characters))
    )
)
def test_no_text_produces_the_padding(pieces: list[str]) -> None:
    for tokenizer in TOKENIZERS.values():
        assert 0 not in ids_of(tokenizer, "".join(pieces))


# Encoding


@settings(deadline=None, max_examples=200)
@given(
    text=st.text(characters),
    before=st.text(WHITE_SPACE, max_size=3),
    after=st.text(WHITE_SPACE, max_size=3),
)
@example(text="정말 재미있는 영화였다", before="", after="\n")
@example(text="\u0301", before=" ", after="")  # an accent without a letter
def test_white_space_around_a_review_never_changes_its_ids(
    text: str, before: str, after: str
) -> None:
    for tokenizer in TOKENIZERS.values():
        assert ids_of(tokenizer, before + text + after) == ids_of(tokenizer, text)


def test_white_space_inside_a_review_counts() -> None:
    assert ids_of(trained(), "정말 재미") != ids_of(trained(), "정말재미")


@settings(deadline=None, max_examples=300)
@given(text=st.text(characters))
@example(text="🎬🎉 👨‍👩‍👧")  # emoji are younger than Unicode 3.2
@example(text="\x00\x7f\ufffd\ufeff")
@example(text="\u1112\u1161\u11ab\u1100\u1173\u11af")  # 한글 in conjoining letters
def test_decoding_gives_the_normalized_and_stripped_text_back(text: str) -> None:
    tokenizer = TOKENIZERS["nfc"]
    expected = unicodedata.normalize("NFC", text).strip(WHITE_SPACE)
    assert tokenizer.decode(ids_of(tokenizer, text)) == expected


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        ("none", "ｅ\u0301 \u1112\u1161\u11ab ①é한"),
        ("nfc", "ｅ\u0301 한 ①é한"),
        ("nfd", "ｅ\u0301 \u1112\u1161\u11ab ①e\u0301\u1112\u1161\u11ab"),
        ("nfkc", "é 한 1é한"),
        ("nfkd", "e\u0301 \u1112\u1161\u11ab 1e\u0301\u1112\u1161\u11ab"),
    ],
)
def test_each_normalization_is_the_unicode_form_it_names(normalization: str, expected: str) -> None:
    tokenizer = TOKENIZERS[normalization]
    token_ids = ids_of(tokenizer, "ｅ\u0301 \u1112\u1161\u11ab ①\u00e9\ud55c")
    assert tokenizer.decode(token_ids) == expected


def test_characters_that_were_never_seen_are_encoded_byte_by_byte() -> None:
    tokenizer = train_tokenizer(["ab"], vocab_size=300, min_frequency=1, normalization="nfc")
    assert len(ids_of(tokenizer, "궳")) == len("궳".encode()) == 3
    assert tokenizer.decode(ids_of(tokenizer, "궳")) == "궳"


def test_texts_are_encoded_in_order_in_bounded_batches() -> None:
    tokenizer = TOKENIZERS["nfc"]
    texts = [str(number) for number in range(10_001)]
    batches = list(encode(wrapped(tokenizer), texts))
    assert len(batches) == 2
    assert [tokenizer.decode(ids) for batch in batches for ids in batch] == texts


def test_nothing_to_encode_yields_nothing() -> None:
    assert list(encode(wrapped(TOKENIZERS["nfc"]), [])) == []


# Training


@pytest.mark.parametrize(
    ("min_frequency", "vocab_size", "merges"),
    [
        # "ab" comes three times, once after a space: a+b is met 3 times, space+ab once.
        (1, 300, ["a b", "Ġ ab"]),
        (2, 300, ["a b"]),
        (3, 300, ["a b"]),
        (4, 300, []),
        (1, 259, ["a b", "Ġ ab"]),
        (1, 258, ["a b"]),
        (1, 257, []),
    ],
)
def test_pairs_are_merged_from_min_frequency_on_up_to_vocab_size(
    tmp_path: Path, min_frequency: int, vocab_size: int, merges: list[str]
) -> None:
    tokenizer = train_tokenizer(
        ["ab ab", "ab"],
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        normalization="nfc",
    )
    assert saved_json(tokenizer, tmp_path)["model"]["merges"] == merges
    assert tokenizer.get_vocab_size() == 257 + len(merges)


def test_merged_tokens_have_the_ids_after_the_bytes() -> None:
    tokenizer = train_tokenizer(
        ["ab ab", "ab"], vocab_size=300, min_frequency=1, normalization="nfc"
    )
    assert ids_of(tokenizer, "ab") == [257]
    assert ids_of(tokenizer, "ab ab") == [257, 258]


def test_a_larger_corpus_fills_the_vocabulary_exactly() -> None:
    texts = [f"영화 {number} 번째 관람 {number * 7919}" for number in range(2_000)]
    tokenizer = train_tokenizer(texts, vocab_size=700, min_frequency=2, normalization="nfc")
    assert tokenizer.get_vocab_size() == 700
    assert sorted(tokenizer.get_vocab().values()) == list(range(700))


def test_training_is_deterministic() -> None:
    # Thousands of pairs that are equally frequent: what a hash map's order would decide.
    texts = [chr(0xAC00 + i) + chr(0xAC00 + i + 1) for i in range(2_000)]
    first, *others = (
        train_tokenizer(texts, vocab_size=600, min_frequency=1, normalization="nfc").to_str()
        for _ in range(4)
    )
    assert others == [first] * 3


# The file


@pytest.mark.parametrize("normalization", NORMALIZERS)
def test_the_file_has_the_form_that_every_reader_accepts(
    tmp_path: Path, normalization: str
) -> None:
    content = saved_json(TOKENIZERS[normalization], tmp_path)
    assert set(content) <= {
        *("version", "truncation", "padding", "added_tokens", "normalizer"),
        *("pre_tokenizer", "post_processor", "decoder", "model"),
    }
    assert content["padding"] is None
    assert content["truncation"] is None
    assert content["added_tokens"] == []
    assert content["model"]["type"] == "BPE"
    assert content["model"]["dropout"] is None
    merges = content["model"]["merges"]
    assert merges and all(isinstance(merge, str) and merge.count(" ") == 1 for merge in merges)


@pytest.mark.parametrize(
    ("normalization", "steps"),
    [
        ("none", ["Strip"]),
        ("nfc", ["NFC", "Strip"]),
        ("nfd", ["NFD", "Strip"]),
        ("nfkc", ["NFKC", "Strip"]),
        ("nfkd", ["NFKD", "Strip"]),
    ],
)
def test_the_file_normalizes_then_strips(
    tmp_path: Path, normalization: str, steps: list[str]
) -> None:
    normalizer = saved_json(TOKENIZERS[normalization], tmp_path)["normalizer"]
    assert normalizer["type"] == "Sequence"
    assert [step["type"] for step in normalizer["normalizers"]] == steps
    assert normalizer["normalizers"][-1] == {
        "type": "Strip",
        "strip_left": True,
        "strip_right": True,
    }


@pytest.mark.parametrize("normalization", NORMALIZERS)
def test_a_reloaded_tokenizer_gives_the_same_ids(tmp_path: Path, normalization: str) -> None:
    tokenizer = TOKENIZERS[normalization]
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    reloaded = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = [*REVIEWS, " <pad> 새로운 글\n", "ｅ\u0301 \u1112\u1161\u11ab", "🎬"]
    [ids, expected] = (encode(wrapped(each), texts) for each in (reloaded, tokenizer))
    assert list(ids) == list(expected)
    assert reloaded.get_vocab() == tokenizer.get_vocab()


def test_saving_a_reloaded_tokenizer_changes_no_byte(tmp_path: Path) -> None:
    save_tokenizer(TOKENIZERS["nfc"], tmp_path / "first.json")
    reloaded = Tokenizer.from_file(str(tmp_path / "first.json"))
    save_tokenizer(reloaded, tmp_path / "second.json")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()
