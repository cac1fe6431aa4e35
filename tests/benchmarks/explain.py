"""Whether explanations mean something: what becomes of answers without the words that they name.

Of 1,000 test reviews of five words or more, one word after the other is left out: those first
that are said to add most, those that add least, or in a random order. The faster the answer's
probability falls in the first order, and the slower in the second, the more the weights say. On the
bundle of the package.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nsmc.data.corpus import NSMC, read_reviews
from nsmc.runtime.explanation import explain
from nsmc.runtime.predictor import Predictor

REVIEWS, FEWEST_WORDS, MOST_WORDS, LEFT_OUT = 1_000, 5, 40, (1, 2, 3, 4)
ORDERS = ("adds most", "random", "adds least")


def main(root: Path) -> None:
    predictor, random = Predictor.load(), np.random.default_rng(0)
    labels = predictor.config.labels
    texts = read_reviews(root / "ratings_test.txt", NSMC).texts
    chosen = [t for t in texts if FEWEST_WORDS <= len(t.split()) <= MOST_WORDS]
    picked = random.permutation(len(chosen))[:REVIEWS]
    probability = {order: np.zeros((len(picked), len(LEFT_OUT))) for order in ORDERS}
    whole, seconds = np.zeros(len(picked)), list[float]()
    for row, index in enumerate(picked):
        started = time.perf_counter()
        found = explain(predictor, chosen[index])
        seconds.append(time.perf_counter() - started)
        words, label = [word.text for word in found.words], labels.index(found.label)
        whole[row] = found.probability
        weights = np.array([word.weight for word in found.words])
        orders = (np.argsort(-weights), random.permutation(len(words)), np.argsort(weights))
        for order, ranks in zip(ORDERS, orders, strict=True):
            rest = [_without(words, ranks[:count].tolist()) for count in LEFT_OUT]
            probability[order][row] = predictor.probabilities(rest)[:, label]
    print(f"{len(picked):,} reviews; mean probability of the answer {whole.mean():.4f}")
    print("mean probability of that label, and how often it is still the answer, without the first")
    print(f"{'':<14}" + "".join(f"{count:>8} word{'s' * (count > 1)}" for count in LEFT_OUT))
    for order in ORDERS:
        means, kept = probability[order].mean(axis=0), (probability[order] > 0.5).mean(axis=0)
        cells = (f"{mean:.3f} {share:>5.1%}" for mean, share in zip(means, kept, strict=True))
        print(f"{order:<14}" + "".join(f"{cell:>14}" for cell in cells))
    print(f"explaining one review: median {1e3 * float(np.median(seconds)):.2f} ms")


def _without(words: Sequence[str], left_out: Sequence[int]) -> str:
    return " ".join(word for index, word in enumerate(words) if index not in left_out)
