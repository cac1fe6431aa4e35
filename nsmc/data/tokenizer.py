"""Trains the byte-level BPE tokenizer, in a form that every reader of `tokenizer.json` accepts.

Id 0 is `<pad>` and no text produces it. White space around a review never changes its ids. The
file is rewritten, as the last step, into the form that tokenizers 0.19 (Rust) still reads.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from nsmc.data.preparation import SECONDS_BETWEEN_LINES, in_thread, is_terminal, return_memory
from nsmc.runtime.tokenizer import BundleTokenizer
from nsmc.runtime.tokenizer_file import portable

log = logging.getLogger(__name__)

IntArray = npt.NDArray[np.int64]

PAD_TOKEN = "<pad>"
PAD_ID = 0

NORMALIZERS: dict[str, list[normalizers.Normalizer]] = {
    "none": [],
    "nfc": [normalizers.NFC()],
    "nfd": [normalizers.NFD()],
    "nfkc": [normalizers.NFKC()],
    "nfkd": [normalizers.NFKD()],
}

_BATCH = 10_000  # texts handed to the library at once, to bound memory


class Texts(Protocol):
    """A list of texts, or what hands out slices of one."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> Sequence[str]: ...


def train_tokenizer(
    *parts: Texts, vocab_size: int, min_frequency: int, normalization: str
) -> Tokenizer:
    """Learn at most `vocab_size` tokens from the texts of all parts together.

    A pair of tokens is merged only where it occurs `min_frequency` times, so a small corpus may
    give fewer tokens than asked for.
    """
    tokenizer = Tokenizer(models.BPE())
    # Normalize first: NFKC turns exotic spaces into plain ones, which Strip then removes.
    steps = [*NORMALIZERS[normalization], normalizers.Strip()]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=[PAD_TOKEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=is_terminal(),  # the library has bars of its own
    )
    _train(tokenizer, trainer, parts)
    return_memory()
    return Tokenizer.from_str(portable_json(tokenizer))


def _train(tokenizer: Tokenizer, trainer: trainers.BpeTrainer, parts: Sequence[Texts]) -> None:
    """Train in a thread: the library computes for seconds without letting Ctrl-C through."""
    is_interrupted = False

    def batches() -> Iterator[Sequence[str]]:
        for batch in chain.from_iterable(map(_batches, parts)):
            if is_interrupted:
                return
            yield batch

    training = in_thread(
        lambda: tokenizer.train_from_iterator(batches(), trainer, length=sum(map(len, parts)))
    )
    start = last_line = time.monotonic()
    try:
        while wait([training], timeout=0.1).not_done:
            if not is_terminal() and time.monotonic() - last_line > SECONDS_BETWEEN_LINES:
                last_line = time.monotonic()
                log.info("training the tokenizer for %.0f s", last_line - start)
        training.result()
    finally:
        is_interrupted = True


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Write `tokenizer.json` in the portable form (the library itself writes merges as pairs)."""
    path.write_text(portable_json(tokenizer), encoding="utf-8")


def encode(tokenizer: BundleTokenizer, texts: Texts) -> Iterator[list[list[int]]]:
    """Yield the token ids of the texts, in order, some thousand texts at a time."""
    return map(tokenizer.encode_batch, _batches(texts))


def _batches(texts: Texts) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _BATCH):
        yield texts[start : start + _BATCH]


def portable_json(tokenizer: Tokenizer) -> str:
    """The content of `tokenizer.json`, in the form that every reader accepts."""
    content: dict[str, Any] = json.loads(tokenizer.to_str())
    # As an added token, "<pad>" typed by a reviewer would become id 0. As a mere vocabulary entry
    # it cannot: the pre-tokenizer splits the angle brackets from the letters.
    content["added_tokens"] = []
    return portable(json.dumps(content, ensure_ascii=False), max_length=None)
