"""The form of `tokenizer.json` that every program reads alike, and in which bundles have it.

Merges are written "a b", as tokenizers up to 0.19 demand, and a text is cut at the bundle's
`max_length`, so that a program that just encodes is right on long reviews, too. Our own readers cut
by themselves.
"""

import json
import re
from collections import Counter
from typing import Any

# How byte-level tokenizers write the 256 bytes: as themselves, or from U+0100 on.
_BYTES = frozenset(map(chr, (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x144))))
NO_LETTERS = tuple(map(chr, (*range(0x122, 0x144), *range(0xA1, 0xAD), *range(0xAE, 0x100))))
_LETTERS = re.compile(f"[{re.escape(''.join(sorted(_BYTES)))}]*")
_NOT_IN_UTF8 = frozenset(map(chr, (0xC0, 0xC1, *range(0xF5, 0x100))))


def byte_letters() -> list[str]:
    """How byte-level vocabularies write the 256 bytes: printable ones of Latin-1 as themselves."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(0x100) if byte not in printable]
    codes = {byte: 0x100 + number for number, byte in enumerate(others)}
    return [chr(codes.get(byte, byte)) for byte in range(0x100)]


def portable(content: str, max_length: int | None) -> str:
    """The same tokenizer, keeping `max_length` ids of a text, or all, and padding none."""
    values: dict[str, Any] = json.loads(content)
    values["truncation"] = max_length and {
        "direction": "Right",
        "max_length": max_length,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    values["padding"] = None
    model = values["model"]
    if not any(" " in token for token in model["vocab"]):  # none of a byte-level tokenizer's has
        model["merges"] = [
            merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]
        ]
    return json.dumps(values, ensure_ascii=False)


def transformers_config(max_length: int) -> dict[str, Any]:
    """What `tokenizer_config.json` says, so that transformers and transformers.js load the folder.

    `<pad>` in a text stays what it is there, too: characters, and no special token.
    """
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "pad_token": "<pad>",
        "padding_side": "right",
        "truncation_side": "right",
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
    }


def check_vocabulary(vocab: dict[str, int]) -> None:
    """Raises ValueError for one that programs read differently, or drop characters with."""
    if len(set(vocab.values())) < len(vocab):
        id_, _ = Counter(vocab.values()).most_common(1)[0]
        raise ValueError(f"two tokens have id {id_}")
    if "" in vocab:
        raise ValueError(f"token {vocab['']} has 0 bytes")
    if not _LETTERS.fullmatch("".join(vocab)):
        odd = next(id_ for token, id_ in vocab.items() if not _BYTES.issuperset(token))
        raise ValueError(f"token {odd} is not written in byte-level characters")
    if missing := len(_BYTES - _NOT_IN_UTF8 - vocab.keys()):
        raise ValueError(f"{missing} bytes have no token, so that characters would be dropped")
