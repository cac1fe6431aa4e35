"""A bundle with a smaller vocabulary: the last merges, which are those of the rarest pairs, go.

A byte-level BPE learns its merges one after the other, the most frequent pair first. So the first
of them are what a smaller vocabulary would have learnt from the same texts, and what the others
would have joined stays in pieces that have embeddings of their own: no weight changes.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nsmc.conversion.card import pruned_card
from nsmc.runtime.bundle import CARD_FILE, TOKENIZER_FILE, fill_bundle
from nsmc.runtime.loading import Bundle


def fill_pruned(scratch: Path, folder: Path, bundle: Bundle, vocab_size: int) -> None:
    """Write the bundle of `folder` with `vocab_size` tokens into an empty folder.

    What was measured of it, metrics and confidence, is left out. Raises ValueError for a number of
    tokens that it cannot have.
    """
    tokenizer = json.loads((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
    ids = prune(tokenizer["model"], vocab_size)
    config = dataclasses.replace(bundle.config, vocab_size=len(ids), metrics={}, confidence=None)
    embedding = bundle.tensors["embedding.weight"][ids]
    card = folder / CARD_FILE
    text = card.read_text("utf-8") if card.is_file() else ""
    pruned_file = scratch / TOKENIZER_FILE
    pruned_file.write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    fill_bundle(
        scratch,
        config,
        {**bundle.tensors, "embedding.weight": embedding},
        pruned_file,
        pruned_card(text, config, bundle.config.vocab_size),
    )


def prune(model: dict[str, Any], vocab_size: int) -> list[int]:
    """Keep `vocab_size` tokens of a `tokenizer.json`'s BPE model, which is changed.

    Tokens that no merge makes, such as bytes and <pad>, all stay. Ids are given anew, in the same
    order; returns the old ones, by the new. Raises ValueError as `fill_pruned` does.
    """
    vocabulary: dict[str, int] = model["vocab"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    kept = vocabulary.keys() - {left + right for left, right in merges}
    if not len(kept) <= vocab_size < len(vocabulary):
        raise ValueError(
            f"--vocab-size {vocab_size}: this bundle has {len(vocabulary)} tokens, {len(kept)} of "
            f"which cannot go; say a number from {len(kept)} to {len(vocabulary) - 1}"
        )
    count = _count_of_first(merges, kept, vocab_size)
    tokens = sorted(kept, key=vocabulary.__getitem__)
    model["vocab"] = {token: id_ for id_, token in enumerate(tokens)}
    model["merges"] = model["merges"][:count]
    return [vocabulary[token] for token in tokens]


def _count_of_first(merges: Sequence[tuple[str, ...]], kept: set[str], vocab_size: int) -> int:
    """How many of the merges make `vocab_size` tokens with those that are `kept`; adds theirs."""
    for count, (left, right) in enumerate(merges):
        if left + right not in kept and len(kept) == vocab_size:
            return count
        kept.add(left + right)
    return len(merges)
