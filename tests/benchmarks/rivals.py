"""The other entries of the benchmark `quality`, each a process: `rivals KIND ROOT SEED FOLDER`.

Each reads the raw files, trains, and leaves FOLDER/run.json with its validation accuracy.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nsmc.data.batching import collate
from nsmc.data.corpus import Reviews, read_reviews
from nsmc.data.encoding import EncodedReviews, encode_texts
from nsmc.data.splitting import split_off
from nsmc.data.tokenizer import train_tokenizer
from tests.benchmarks.quality import BLOG_EPOCHS
from tests.benchmarks.training import BlogClassifier
from tests.bundles import wrapped

VALIDATION = 0.05


def main() -> None:
    kind, root, seed, folder = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    folder.mkdir()
    train, val = split_off(
        read_reviews(root / "ratings_train.txt"), VALIDATION, seed, "validation_fraction"
    )
    accuracy = {"fasttext": fasttext_accuracy, "blog": blog_accuracy}[kind](
        train, val, seed, folder
    )
    record = {"metrics": {"val/accuracy": accuracy}}
    (folder / "run.json").write_text(json.dumps(record))


def fasttext_accuracy(train: Reviews, val: Reviews, seed: int, folder: Path) -> float:
    model = train_fasttext(train, seed, folder)
    answers, _ = model.predict([" ".join(text.split()) for text in val.texts])
    found = np.array([label == "__label__1" for (label,) in answers])
    return float((found == val.labels).mean())


def train_fasttext(train: Reviews, seed: int, folder: Path, epochs: int = 5) -> Any:
    """fastText's supervised classifier with words, pairs of words and character n-grams."""
    import fasttext

    lines = [
        f"__label__{label} {' '.join(text.split())}"
        for text, label in zip(train.texts, train.labels, strict=True)
    ]
    path = folder / "train.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return fasttext.train_supervised(
        str(path),
        dim=50,
        epoch=epochs,
        lr=0.3,
        wordNgrams=2,
        minn=1,
        maxn=4,
        thread=2,
        seed=seed,
        verbose=0,
    )


def blog_accuracy(train: Reviews, val: Reviews, seed: int, folder: Path) -> float:
    """The post's loop: padded to 128 tokens, batches of 32 in file order, plain Adam."""
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(
        train.texts, vocab_size=10_000, min_frequency=2, normalization="none"
    )
    reviews, others = (
        encode_texts(wrapped(tokenizer), part.texts, part.labels) for part in (train, val)
    )
    model, criterion = BlogClassifier(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(BLOG_EPOCHS):
        for start in range(0, len(reviews), 32):
            ids, labels = _batch(reviews, start, 32)
            loss = criterion(model(ids), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    correct = 0
    with torch.inference_mode():
        for start in range(0, len(others), 500):
            ids, labels = _batch(others, start, 500)
            correct += int((model(ids).argmax(dim=1) == labels).sum())
    return correct / len(others)


def _batch(reviews: EncodedReviews, start: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = np.arange(start, min(start + size, len(reviews)))
    batch = collate(reviews, rows, 2, max_length=128, pad_to=128)
    return batch.token_ids, batch.labels


if __name__ == "__main__":
    main()
