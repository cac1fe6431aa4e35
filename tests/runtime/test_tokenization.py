"""The ids of a text's beginning are those of the whole text, whatever it is."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, normalizers

from nsmc.data.tokenizer import NORMALIZERS, train_tokenizer
from nsmc.runtime import tokenization
from nsmc.runtime.tokenization import token_ids

# What could join what stands on both sides of a cut, in some Unicode form, word or strip.
PARTS = [
    *(" ", "  ", "\n", "\t", "\r\n", "\u3000", "\xa0", "\u2003", "\x1c", "\x85", "\u200b"),
    *("영화", "ㅋㅋㅋㅋ", "\u1100", "\u1161", "\u11a8", "가", "각", "ﾊ", "ﾞ", "\u3099"),
    *(
        "e",
        "\xe9",
        "\u0301",
        "\u0327",
        "a\u0300",
        "\u0f71\u0f72",
        "\u09c7",
        "\u09be",
        "=",
        "\u0338",
    ),
    *("'s", "'", "'re", "don't", "...", "!?", "12", "½", "①", "ﬁ", "\u00a8", "\u00b4", "\u2017"),
    *("\ufdfa", "\u1e9b", "\ud800", "👍🏽", "<pad>", "İ", "Σ", "\ufeff", "\u180e", "\u202e"),
]
# Whatever stands beside whatever is merged into tokens, so that a wrong cut shows in the ids.
PAIRS = [first + second for first in PARTS for second in PARTS if "\ud800" not in first + second]
TOKENIZERS = {
    name: train_tokenizer(
        [pair * 2 for pair in PAIRS] * 2, vocab_size=4_000, min_frequency=2, normalization=name
    )
    for name in NORMALIZERS
}

HOSTILE = [
    *(" " * 3000, "a" * 3000, "ㅋ" * 3000, " a" * 2000, "a " * 2000, "가\n" * 1500),
    *("\u0301 " * 1500, " \u0301" * 1500, "\ufdfa" * 400, "\u00a8 " * 900, "'s " * 900),
    *(" " * 2000 + "최고 " * 500, "x" * 2000 + " y" * 900, "\u1100\u1161 \u11a8 " * 500),
    *(part * 300 for part in PARTS),
    *(f"{part} " * 300 for part in PARTS),
]


def whole(tokenizer: Tokenizer, text: str, max_length: int) -> list[int]:
    sound = text.encode("utf-8", "replace").decode("utf-8")
    ids: list[int] = tokenizer.encode(sound, add_special_tokens=False).ids
    return ids[:max_length]


@pytest.fixture
def eager() -> Iterator[None]:
    """Lets every text be cut as soon as there are more characters than tokens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenization, "_PER_TOKEN", 1)
        patch.setattr(tokenization, "_SHORT", 0)
        yield


texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=30).map("".join)


@pytest.mark.parametrize("normalization", NORMALIZERS)
@settings(deadline=None, max_examples=100)
@given(text=texts)
def test_wherever_a_text_may_be_cut_its_ids_begin_with_those_of_the_beginning(
    normalization: str, text: str
) -> None:
    tokenizer = TOKENIZERS[normalization]
    of_all = whole(tokenizer, text, len(text) * 40)
    for end in range(len(text)):
        start = tokenization._start(text, end)
        ids = whole(tokenizer, start, len(text) * 40)
        assert ids == of_all[: len(ids)]


@pytest.mark.parametrize("normalization", NORMALIZERS)
@pytest.mark.parametrize("max_length", [1, 7, 128])
def test_the_ids_of_hostile_texts_are_those_of_the_whole(
    normalization: str, max_length: int
) -> None:
    tokenizer = TOKENIZERS[normalization]
    found = token_ids(tokenizer, HOSTILE, max_length)
    assert found == [whole(tokenizer, text, max_length) for text in HOSTILE]


@pytest.mark.parametrize("normalization", NORMALIZERS)
def test_every_character_may_stand_before_the_cut(normalization: str, eager: None) -> None:
    tokenizer = TOKENIZERS[normalization]
    ranges = (range(0x3400), range(0xAC00, 0xAC20), range(0xD7B0, 0x10000), range(0x1D100, 0x1F000))
    many = [f"a{chr(code)} {chr(code)}b c" for codes in ranges for code in codes]
    assert token_ids(tokenizer, many, 3) == [whole(tokenizer, text, 3) for text in many]


def test_of_a_long_text_only_the_beginning_is_tokenized(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = list[int]()
    encoded = tokenization._encoded

    def spy(tokenizer: Tokenizer, texts: list[str], max_length: int) -> list[list[int]]:
        lengths.extend(map(len, texts))
        return encoded(tokenizer, texts, max_length)

    monkeypatch.setattr(tokenization, "_encoded", spy)
    found = token_ids(TOKENIZERS["nfc"], ["정말 재미있는 영화 " * 100_000, "짧은 글"], 64)
    assert [len(ids) for ids in found] == [64, len(whole(TOKENIZERS["nfc"], "짧은 글", 64))]
    assert max(lengths) < 1000


def test_texts_are_tokenized_in_batches_of_bounded_size() -> None:
    sizes = ["x" * size for size in (10, 70_000, 60_000, 5_000, 5_000, 70_000)]
    batches = list(tokenization._batches(sizes))
    assert [text for batch in batches for text in batch] == sizes
    assert all(len(batch) == 1 or sum(map(len, batch)) <= 1 << 16 for batch in batches)


def test_a_text_with_replacements_is_read_whole(eager: None) -> None:
    # "b c" lies on both sides of the only cut.
    tokenizer = Tokenizer.from_str(TOKENIZERS["nfc"].to_str())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("b c", "q")])
    assert token_ids(tokenizer, ["ab cd"], 2) == [whole(tokenizer, "ab cd", 2)]
    assert token_ids(tokenizer, ["ab cd"], 2) != token_ids(TOKENIZERS["nfc"], ["ab cd"], 2)


def test_what_takes_too_much_memory_raises_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenization, "_PER_BYTE", 1 << 46)
    with pytest.raises(MemoryError):
        token_ids(TOKENIZERS["nfc"], ["글", "글"], 2)
