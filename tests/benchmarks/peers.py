"""A program that classifies reviews, a process for `runtime`: `peers KIND CORES FOLDER REVIEWS`.

FOLDER holds a bundle, REVIEWS a review a line. For each line `one COUNT` or `many COUNT` on
standard input it classifies so many reviews one by one, or all together, and prints the seconds
that this took, each review's or all of them, as JSON. Each peer has its own way to the end: ids by
the same tokenizer, batches in order of length, the number of threads it is told.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Answer = Callable[[Sequence[str]], object]

_BATCH = 256  # reviews that torch and onnxruntime are given together


def main() -> None:
    kind, cores, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    # Before any library counts the cores: the only bound that holds for all of their threads.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    texts = Path(sys.argv[4]).read_text(encoding="utf-8").split("\n")
    one, many = {"compiled": ours, "numpy": ours, "torch": by_torch, "onnxruntime": by_onnx}.get(
        kind, by_fasttext
    )(folder, cores)
    one(texts[:1])
    many(texts[:_BATCH])
    print("ready", flush=True)
    for line in sys.stdin:
        what, count = line.split()
        print(json.dumps(seconds(what, texts[: int(count)], one, many)), flush=True)


def seconds(what: str, texts: list[str], one: Answer, many: Answer) -> list[float]:
    if what == "many":
        start = time.perf_counter()
        many(texts)
        return [time.perf_counter() - start]
    found = []
    for text in texts:
        start = time.perf_counter()
        one([text])
        found.append(time.perf_counter() - start)
    return found


def ours(folder: Path, cores: int) -> tuple[Answer, Answer]:
    """As `nsmc predict` does: many reviews in chunks, a thread for each core."""
    from nsmc.runtime.files import classified
    from nsmc.runtime.predictor import Predictor
    from nsmc.runtime.tables import Row

    predictor = Predictor.load(folder)

    def many(texts: Sequence[str]) -> object:
        return list(classified(predictor, (Row(0, text) for text in texts)))

    return predictor, many


def by_torch(folder: Path, cores: int) -> tuple[Answer, Answer]:
    import numpy as np
    import torch

    from nsmc.runtime.loading import read_bundle
    from nsmc.training.classifier import RecurrentClassifier

    torch.set_num_threads(cores)
    bundle = read_bundle(folder)
    each = bundle.config
    classifier = RecurrentClassifier(
        vocab_size=each.vocab_size,
        cell=each.cell,
        embedding_dim=each.embedding_dim,
        hidden_size=each.hidden_size,
        num_layers=each.num_layers,
        bidirectional=each.bidirectional,
        pooling=each.pooling,
    ).eval()

    def answer(ids: Any, lengths: Any) -> object:
        with torch.inference_mode():
            lengths = torch.from_numpy(lengths.astype(np.int64))
            return classifier(torch.from_numpy(ids), lengths).softmax(dim=-1)

    return batched(bundle, answer)


def by_onnx(folder: Path, cores: int) -> tuple[Answer, Answer]:
    import onnxruntime

    from nsmc.conversion.onnx import onnx_model
    from nsmc.runtime.loading import read_bundle

    bundle = read_bundle(folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = cores, 1
    session = onnxruntime.InferenceSession(
        onnx_model(bundle).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return batched(
        bundle, lambda ids, lengths: session.run(None, {"token_ids": ids, "lengths": lengths})
    )


def batched(bundle: Any, answer: Callable[[Any, Any], object]) -> tuple[Answer, Answer]:
    """One review and many, for what is given ids [B, T], padded with 0, and lengths [B]."""
    import numpy as np

    limit = bundle.config.max_length

    def padded(rows: Sequence[Any]) -> object:
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        ids = np.zeros((len(rows), max(1, int(lengths.max()))), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        return answer(ids, lengths)

    def one(texts: Sequence[str]) -> object:
        return padded([bundle.tokenizer.encode(texts[0], add_special_tokens=False).ids[:limit]])

    def many(texts: Sequence[str]) -> object:
        encodings = bundle.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        ids = sorted((encoding.ids[:limit] for encoding in encodings), key=len)
        return [padded(ids[start : start + _BATCH]) for start in range(0, len(ids), _BATCH)]

    return one, many


def by_fasttext(folder: Path, cores: int) -> tuple[Answer, Answer]:
    """Its prediction has one thread."""
    import fasttext

    fasttext.FastText.eprint = lambda *_: None  # a warning about its own interface
    model = fasttext.load_model(str(folder))

    def answer(texts: Sequence[str]) -> object:
        return model.predict([" ".join(text.split()) for text in texts])

    return answer, answer


if __name__ == "__main__":
    main()
