"""Texts that are hard on a tokenizer, and tokenizers whose tokens reach across their parts."""

from pathlib import Path

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
NORMALIZATIONS = ("none", "nfc", "nfd", "nfkc", "nfkd")

HOSTILE = [
    *(" " * 3000, "a" * 3000, "ㅋ" * 3000, " a" * 2000, "a " * 2000, "가\n" * 1500),
    *("\u0301 " * 1500, " \u0301" * 1500, "\ufdfa" * 400, "\u00a8 " * 900, "'s " * 900),
    *(" " * 2000 + "최고 " * 500, "x" * 2000 + " y" * 900, "\u1100\u1161 \u11a8 " * 500),
    *(part * 300 for part in PARTS),
    *(f"{part} " * 300 for part in PARTS),
]


def train_tokenizers(folder: Path) -> None:
    """Write a tokenizer for each normalization; needs a release of tokenizers that can train."""
    from nsmc.data.tokenizer import save_tokenizer, train_tokenizer

    texts = [pair * 2 for pair in PAIRS] * 2
    for name in NORMALIZATIONS:
        tokenizer = train_tokenizer(texts, vocab_size=4_000, min_frequency=2, normalization=name)
        save_tokenizer(tokenizer, folder / f"{name}.json")
