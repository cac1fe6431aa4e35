"""BPE-dropout: a word is split into other tokens each time, so a classifier sees its parts.

While a word's tokens are merged, each possible merge is skipped with a probability (Provilkov et
al. 2020, https://arxiv.org/abs/1910.13267). Encoding a corpus like that anew each epoch would take
longer than training on it. So each distinct word is tokenized several times, once, all words
together and from a seed; an epoch then draws one of its samples for every occurrence of the word.

Legend: N reviews, D distinct words, O occurrences of words in all reviews, S samples of each word.
"""

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer

from nsmc.data.cache import cached_folder, digest_of, load_arrays, save_arrays
from nsmc.data.encoding import EncodedReviews
from nsmc.data.preparation import Progress
from nsmc.data.tokenizer import IntArray, portable_json

log = logging.getLogger(__name__)

_FORMAT = 1  # raised when the cached files change their meaning

# Words: more do not fit a processor's cache, and the calls for each group take time, too.
_GROUP_SIZE = 20_000
_NO_MERGE = np.iinfo(np.int64).max  # the rank of a pair that is not merged


@dataclass(frozen=True)
class SampledReviews:
    """N reviews as words, each of which has several samples of its tokens.

    Review i has the words `words[offsets[i]:offsets[i + 1]]`; sample s of word w is
    `token_ids[sample_offsets[w * samples + s]:sample_offsets[w * samples + s + 1]]`. `plain` are
    the same reviews without dropout.
    """

    plain: EncodedReviews
    words: npt.NDArray[np.int32]  # [O]
    offsets: npt.NDArray[np.int64]  # [N + 1]
    token_ids: npt.NDArray[np.int32]
    sample_offsets: npt.NDArray[np.int64]  # [D * S + 1]
    samples: int
    seed: int

    def __len__(self) -> int:
        return len(self.plain)

    def lengths(self, epoch: int) -> IntArray:
        """The tokens of each review [N] in an epoch."""
        drawn = self._draw(np.arange(len(self.words)), epoch)
        ends = _offsets(self.sample_offsets[drawn + 1] - self.sample_offsets[drawn])
        return np.diff(ends[self.offsets])

    def select(self, rows: IntArray, epoch: int) -> tuple[EncodedReviews, IntArray]:
        """Those in `rows` as tokenized in an epoch, and their indices in what is returned."""
        word_counts = self.offsets[rows + 1] - self.offsets[rows]
        drawn = self._draw(ranges(self.offsets[rows], word_counts), epoch)
        token_counts = self.sample_offsets[drawn + 1] - self.sample_offsets[drawn]
        token_ids = self.token_ids[ranges(self.sample_offsets[drawn], token_counts)]
        offsets = _offsets(token_counts)[_offsets(word_counts)]
        targets = None if self.plain.targets is None else self.plain.targets[rows]
        reviews = EncodedReviews(token_ids, offsets, self.plain.labels[rows], targets)
        return reviews, np.arange(len(rows))

    def _draw(self, occurrences: IntArray, epoch: int) -> IntArray:
        """A sample, as an index into `sample_offsets`, for each of some occurrences of words.

        It depends on the seed, the epoch and the occurrence alone, so that a batch need not know
        which batches came before it.
        """
        start = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        drawn = _mixed(occurrences.astype(np.uint64) + start) % np.uint64(self.samples)
        return self.words[occurrences].astype(np.int64) * self.samples + drawn.astype(np.int64)


def sample_reviews(
    reviews: EncodedReviews,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    dropout: float,
    samples: int,
    seed: int,
    cache_dir: Path,
) -> SampledReviews:
    """Tokenize the words of `reviews`, whose texts are given, `samples` times with BPE-dropout.

    What was computed before is read from `cache_dir`. Raises OSError where that cannot be written.
    """
    key = digest_of([_FORMAT, tokenizer.to_str(), digest_of(list(texts)), dropout, samples, seed])
    folder = cache_dir / f"bpe-dropout-{key}"
    cached_folder(folder, lambda scratch: _build(scratch, texts, tokenizer, dropout, samples, seed))
    arrays = load_arrays(folder, ("words", "offsets", "token_ids", "sample_offsets"))
    return SampledReviews(reviews, **arrays, samples=samples, seed=seed)


def _build(
    folder: Path,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    dropout: float,
    samples: int,
    seed: int,
) -> None:
    log.info("tokenizing the words of %s reviews in %d ways", f"{len(texts):,}", samples)
    numbers: dict[str, int] = {}
    words, word_counts = [], []
    for text in texts:
        of_text = split_words(tokenizer, text)
        word_counts.append(len(of_text))
        words += [numbers.setdefault(word, len(numbers)) for word in of_text]
    vocabulary = tokenizer.get_vocab()
    characters = np.array([vocabulary[char] for word in numbers for char in word], np.int32)
    starts = np.cumsum([0, *map(len, numbers)], dtype=np.int64)
    merges, generator = Merges(tokenizer), np.random.default_rng(seed)
    progress, drawn = Progress(log, "tokenizing words", samples), []
    for sample in range(samples):
        drawn.append(tokenize_words(characters, starts, merges, dropout, generator))
        progress.show(sample + 1)
    token_counts = np.stack([np.diff(offsets) for _, offsets in drawn], axis=1)  # [D, S]
    sample_offsets = _offsets(token_counts.ravel())
    token_ids = np.empty(sample_offsets[-1], np.int32)
    for sample, (ids, offsets) in enumerate(drawn):
        token_ids[ranges(sample_offsets[sample:-1:samples], np.diff(offsets))] = ids
    save_arrays(
        folder,
        words=np.array(words, np.int32),
        offsets=np.cumsum([0, *word_counts], dtype=np.int64),
        token_ids=token_ids,
        sample_offsets=sample_offsets,
    )


def split_words(tokenizer: Tokenizer, text: str) -> list[str]:
    """The words of a text, a character for each byte; tokens never cross words."""
    normalizer = tokenizer.normalizer
    normalized = text if normalizer is None else normalizer.normalize_str(text)
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normalized)]


class Merges:
    """The pairs of tokens that a tokenizer merges, sorted, to look up many at a time."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        model: dict[str, Any] = json.loads(portable_json(tokenizer))["model"]
        pairs = [merge.split(" ") for merge in model["merges"]]  # in order of rank
        ids = np.array(
            [[model["vocab"][token] for token in (a, b, a + b)] for a, b in pairs], np.int64
        ).reshape(-1, 3)
        keys = ids[:, 0] << 32 | ids[:, 1]
        order = np.argsort(keys)
        # The last key is above that of any pair, so that a search ends at one.
        self._keys = np.append(keys[order], _NO_MERGE)
        self._ranks = np.append(order, _NO_MERGE)
        self._merged = np.append(ids[order, 2], 0)

    def look_up(self, left: IntArray, right: IntArray) -> tuple[IntArray, IntArray]:
        """The rank of each pair, `_NO_MERGE` for one that is not merged, and what it becomes."""
        keys = left << 32 | right
        indices = np.searchsorted(self._keys, keys)
        ranks = np.where(self._keys[indices] == keys, self._ranks[indices], _NO_MERGE)
        return ranks, self._merged[indices]


def tokenize_words(
    characters: npt.NDArray[np.int32],
    starts: IntArray,
    merges: Merges,
    dropout: float,
    generator: np.random.Generator,
) -> tuple[npt.NDArray[np.int32], IntArray]:
    """Byte-pair encoding of many words at the same time; returns their tokens and offsets.

    Word i is `characters[starts[i]:starts[i + 1]]`, none of them empty. In each round every word
    makes the first of its best merges that are not skipped, as the tokenizers library does one
    word at a time. Words that have none left are done.
    """
    bounds = [*range(0, len(starts) - 1, _GROUP_SIZE), len(starts) - 1]
    groups = [
        _Words(characters[starts[first] : starts[last]], np.diff(starts[first : last + 1]), merges)
        for first, last in pairwise(bounds)
    ]
    unfinished = groups
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        while unfinished:
            # Drawn for all words together: what is skipped does not depend on how they are grouped.
            ends = _offsets(np.array([len(group.ids) for group in unfinished]))
            is_skipped = generator.random(ends[-1] - 1) < dropout
            parts = (is_skipped[start : end - 1] for start, end in pairwise(ends))
            for _ in pool.map(_Words.merge, unfinished, parts):
                pass
            unfinished = [group for group in unfinished if len(group.ids)]
    tokens = [group.tokens() for group in groups]
    ids, counts = (np.concatenate(parts) for parts in zip(*tokens, strict=True))
    return ids.astype(np.int32), _offsets(counts)


class _Words:
    """Some words that are tokenized together: few enough that a processor's cache holds them.

    Legend: M tokens of words that are not done yet.
    """

    def __init__(
        self, characters: npt.NDArray[np.int32], lengths: IntArray, merges: Merges
    ) -> None:
        self.ids = characters.astype(np.int64)  # [M]
        self._words = np.repeat(np.arange(len(lengths)), lengths)  # [M]: which word each is of
        self._count = len(lengths)
        self._merges = merges
        # Of each token and its next one [M]: the rank, and what they become.
        self._rank, self._merged = self._look_up(np.arange(len(self.ids)))
        self._done: list[tuple[IntArray, IntArray]] = []  # tokens, and their words

    def merge(self, is_skipped: npt.NDArray[np.bool_]) -> None:
        """One round; `is_skipped` [M - 1] says which tokens do not merge with their next one."""
        ids, words = self.ids, self._words
        rank = np.where(np.append(is_skipped, False), _NO_MERGE, self._rank)
        firsts = np.flatnonzero(np.diff(words, prepend=-1))  # of each word that is left
        best = np.repeat(np.minimum.reduceat(rank, firsts), np.diff(firsts, append=len(ids)))
        is_open = best != _NO_MERGE
        self._done.append((ids[~is_open], words[~is_open]))
        at = np.flatnonzero((rank == best) & is_open)
        at = at[np.flatnonzero(np.diff(words[at], prepend=-1))]  # the first in a word
        ids[at] = self._merged[at]
        is_open[at + 1] = False
        is_new = np.zeros(len(ids) + 1, bool)  # a pair is; -1 is a place to spare
        is_new[at] = is_new[at - 1] = True
        self.ids, self._words = ids[is_open], words[is_open]
        self._rank, self._merged = self._rank[is_open], self._merged[is_open]
        new = np.flatnonzero(is_new[:-1][is_open])
        self._rank[new], self._merged[new] = self._look_up(new)

    def _look_up(self, at: IntArray) -> tuple[IntArray, IntArray]:
        """The ranks of the tokens there with their next ones, and what they become."""
        following = np.minimum(at + 1, len(self.ids) - 1)
        ranks, merged = self._merges.look_up(self.ids[at], self.ids[following])
        in_word = (self._words[at] == self._words[following]) & (at != following)
        return np.where(in_word, ranks, _NO_MERGE), merged

    def tokens(self) -> tuple[IntArray, IntArray]:
        """The tokens, word by word, and how many each word has."""
        ids, words = (np.concatenate(parts) for parts in zip(*self._done, strict=True))
        return ids[np.argsort(words, kind="stable")], np.bincount(words, minlength=self._count)


def ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """The numbers from each start on, `counts` of them, one range after the other."""
    ends = np.cumsum(counts)
    return np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)


def _offsets(counts: IntArray) -> IntArray:
    """Where each of the groups of these sizes begins, and the end of the last one."""
    return np.concatenate([[0], np.cumsum(counts)])


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Numbers whose bits have nothing to do with each other (splitmix64's finalizer)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
