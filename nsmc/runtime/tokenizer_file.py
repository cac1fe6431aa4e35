"""The form of `tokenizer.json` that every program reads alike, and in which bundles have it.

Merges are written "a b", as tokenizers up to 0.19 demand, and a text is cut at the bundle's
`max_length`, so that a program that just encodes is right on long reviews, too. Our own readers cut
by themselves.
"""

import json
from typing import Any


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
