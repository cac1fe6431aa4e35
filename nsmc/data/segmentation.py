"""BPE-dropout: words cut into other tokens each time, so that a classifier sees a word's parts.

While a word's tokens are merged, each possible merge is passed over with a probability (Provilkov
et al. 2020, https://arxiv.org/abs/1910.13267). Encoding a corpus like that anew each epoch would
take longer than training on it. So each distinct word is cut several times, once, all words at the
same time and from a seed; an epoch then draws one of its cuts for every place where a word stands.

Legend: N reviews, D distinct words, P places of words in all reviews, C cuts of each word.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from nsmc.data.cache import cached_folder, digest_of, save_array
from nsmc.data.encoding import EncodedReviews
from nsmc.data.preparation import Progress
from nsmc.data.tokenizer import IntArray, Merges, merges_of, split_words

log = logging.getLogger(__name__)

_FORMAT = 1  # raised when the cached files change their meaning

_NO_MERGE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SegmentedReviews:
    """N reviews as words, each of which has several cuts into tokens.

    Review i has the words `words[offsets[i]:offsets[i + 1]]`; cut c of word w is
    `token_ids[cut_offsets[w * cuts + c]:cut_offsets[w * cuts + c + 1]]`. `plain` are the same
    reviews cut by the tokenizer itself.
    """

    plain: EncodedReviews
    words: npt.NDArray[np.int32]  # [P]
    offsets: npt.NDArray[np.int64]  # [N + 1]
    token_ids: npt.NDArray[np.int32]
    cut_offsets: npt.NDArray[np.int64]  # [D * C + 1]
    cuts: int
    seed: int

    def __len__(self) -> int:
        return len(self.plain)

    def lengths(self, epoch: int) -> IntArray:
        """The tokens of each review [N] in an epoch."""
        drawn = self._drawn(np.arange(len(self.words)), epoch)
        until = np.concatenate(
            [[0], np.cumsum(self.cut_offsets[drawn + 1] - self.cut_offsets[drawn])]
        )
        return np.diff(until[self.offsets])

    def select(self, rows: IntArray, epoch: int) -> tuple[EncodedReviews, IntArray]:
        """Reviews as they are cut in an epoch, and the places of `rows` among them."""
        word_counts = self.offsets[rows + 1] - self.offsets[rows]
        drawn = self._drawn(ranges(self.offsets[rows], word_counts), epoch)
        token_counts = self.cut_offsets[drawn + 1] - self.cut_offsets[drawn]
        token_ids = self.token_ids[ranges(self.cut_offsets[drawn], token_counts)]
        until = np.concatenate([[0], np.cumsum(token_counts)])
        offsets = until[np.concatenate([[0], np.cumsum(word_counts)])]
        targets = None if self.plain.targets is None else self.plain.targets[rows]
        reviews = EncodedReviews(token_ids, offsets, self.plain.labels[rows], targets)
        return reviews, np.arange(len(rows))

    def _drawn(self, places: IntArray, epoch: int) -> IntArray:
        """The cuts for places of words, as places in `cut_offsets`.

        What is drawn depends on the seed, the epoch and the place alone, so that a batch need not
        know which batches came before it.
        """
        start = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        drawn = _mixed(places.astype(np.uint64) + start) % np.uint64(self.cuts)
        return self.words[places].astype(np.int64) * self.cuts + drawn.astype(np.int64)


def segment(
    reviews: EncodedReviews,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    dropout: float,
    cuts: int,
    seed: int,
    cache_dir: Path,
) -> SegmentedReviews:
    """Cut the words of `reviews`, whose texts are given, `cuts` times with BPE-dropout.

    What was computed before is read from `cache_dir`. Raises OSError where that cannot be written.
    """
    key = digest_of([_FORMAT, tokenizer.to_str(), digest_of(list(texts)), dropout, cuts, seed])
    folder = cache_dir / f"segmented-{key}"
    cached_folder(folder, lambda scratch: _build(scratch, texts, tokenizer, dropout, cuts, seed))
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in ("words", "offsets", "token_ids", "cut_offsets")
    }
    return SegmentedReviews(reviews, **arrays, cuts=cuts, seed=seed)


def _build(
    folder: Path, texts: Sequence[str], tokenizer: Tokenizer, dropout: float, cuts: int, seed: int
) -> None:
    log.info("cutting the words of %s reviews in %d ways", f"{len(texts):,}", cuts)
    numbers: dict[str, int] = {}
    words, counts = [], []
    for text in texts:
        of_text = split_words(tokenizer, text)
        counts.append(len(of_text))
        words += [numbers.setdefault(word, len(numbers)) for word in of_text]
    vocabulary = tokenizer.get_vocab()
    letters = np.array([vocabulary[letter] for word in numbers for letter in word], np.int32)
    starts = np.cumsum([0, *map(len, numbers)], dtype=np.int64)
    merges, generator = merges_of(tokenizer), np.random.default_rng(seed)
    progress, drawn = Progress(log, "cutting words", cuts), []
    for cut in range(cuts):
        drawn.append(cut_words(letters, starts, merges, dropout, generator))
        progress.show(cut + 1)
    token_counts = np.stack([np.diff(offsets) for _, offsets in drawn], axis=1)  # [D, C]
    cut_offsets = np.concatenate([[0], np.cumsum(token_counts.ravel())])
    token_ids = np.empty(cut_offsets[-1], np.int32)
    for cut, (ids, offsets) in enumerate(drawn):
        token_ids[ranges(cut_offsets[cut:-1:cuts], np.diff(offsets))] = ids
    arrays: dict[str, npt.NDArray[Any]] = {
        "words": np.array(words, np.int32),
        "offsets": np.cumsum([0, *counts], dtype=np.int64),
        "token_ids": token_ids,
        "cut_offsets": cut_offsets,
    }
    for name, array in arrays.items():
        save_array(folder / f"{name}.npy", array)


def cut_words(
    letters: npt.NDArray[np.int32],
    starts: IntArray,
    merges: Merges,
    dropout: float,
    generator: np.random.Generator,
) -> tuple[npt.NDArray[np.int32], IntArray]:
    """Byte-pair encoding of many words at the same time; returns their tokens and offsets.

    Word i is `letters[starts[i]:starts[i + 1]]`, none of them empty. In each round every word makes
    the first of its best merges that are not passed over, as the tokenizers library does one word
    at a time. Words that have none left are done.
    """
    finished_ids, finished_words = [], []
    ids, words = letters.astype(np.int64), np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    while len(ids):
        rank, merged = merges.look_up(ids[:-1], ids[1:])
        rank[words[:-1] != words[1:]] = _NO_MERGE
        if dropout:
            rank[generator.random(len(rank)) < dropout] = _NO_MERGE
        rank = np.append(rank, _NO_MERGE)
        firsts = np.flatnonzero(np.diff(words, prepend=-1))  # of each word that is left
        best = np.minimum.reduceat(rank, firsts)
        is_open = np.repeat(best != _NO_MERGE, np.diff(firsts, append=len(ids)))
        finished_ids.append(ids[~is_open])
        finished_words.append(words[~is_open])
        is_best = (rank == np.repeat(best, np.diff(firsts, append=len(ids)))) & is_open
        places = np.flatnonzero(is_best)
        places = places[np.flatnonzero(np.diff(words[places], prepend=-1))]  # the first in a word
        ids[places] = merged[places]
        kept = is_open
        kept[places + 1] = False
        ids, words = ids[kept], words[kept]
    all_ids, all_words = np.concatenate(finished_ids), np.concatenate(finished_words)
    order = np.argsort(all_words, kind="stable")
    counts = np.bincount(all_words, minlength=len(starts) - 1)
    return all_ids[order].astype(np.int32), np.concatenate([[0], np.cumsum(counts)])


def ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """The numbers from each start on, `counts` of them, one range after the other."""
    until = np.cumsum(counts)
    total = int(until[-1]) if len(until) else 0
    return np.arange(total) + np.repeat(starts - (until - counts), counts)


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Numbers whose bits have nothing to do with each other (splitmix64's finalizer)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
