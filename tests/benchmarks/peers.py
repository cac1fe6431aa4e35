"""The runtime beside its peers, from texts to answers: `peers BUNDLE FASTTEXT_MODEL TEXTS CORES`.

A process of its own, which holds itself and so all its peers' threads to so many cores. Prints, as
JSON, the seconds of each peer by kind of work and round; within a round the peers take turns. On
one core those of many reviews are the processor's: what else the machine does, does not count.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from nsmc.conversion.onnx import onnx_model
from nsmc.runtime import compiled
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.parallel import mapped
from nsmc.runtime.predictor import Predictor
from tests.bundles import classifier_like
from tests.kernels import kernel_for

SINGLE_REVIEWS = 1_000
BATCH = 128
CHUNK = 2_048  # as `nsmc predict --input` has it
ROUNDS = 5

Answer = Callable[[Sequence[str]], Any]


def main() -> None:
    bundle_folder, fasttext_model, texts_file = map(Path, sys.argv[1:4])
    cores = int(sys.argv[4])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    texts = json.loads(texts_file.read_text(encoding="utf-8"))
    bundle = read_bundle(bundle_folder)
    peers: dict[str, Answer] = {
        "nsmc": ours(bundle),
        **in_avx2(bundle),
        "nsmc without its kernel": in_numpy(bundle),
        "onnxruntime": through_onnxruntime(bundle, cores),
        "fastText": through_fasttext(fasttext_model),
    }
    if hasattr(tokenizers.Tokenizer, "from_str"):  # what is of torch needs a release before 1.0
        peers["torch"] = through_torch(bundle, cores)
    for answer in peers.values():  # tables are made, memory is had
        answer(texts[:CHUNK])
        answer(texts[:1])
    found: dict[str, dict[str, list[Any]]] = {name: {"one": [], "many": []} for name in peers}
    for _ in range(ROUNDS):
        for name, answer in peers.items():
            if cores == 1:
                found[name]["one"].append(
                    [timed(answer, [text]) for text in texts[:SINGLE_REVIEWS]]
                )
            clock = time.process_time if cores == 1 else time.perf_counter
            found[name]["many"].append(timed(answer, texts, clock))
    print(json.dumps(found))


def timed(
    answer: Answer, texts: Sequence[str], clock: Callable[[], float] = time.perf_counter
) -> float:
    start = clock()
    answer(texts)
    return clock() - start


def ours(bundle: Bundle) -> Answer:
    predictor = Predictor(bundle)

    def answer(texts: Sequence[str]) -> Any:
        if len(texts) == 1:
            return predictor(texts)
        chunks = (texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK))
        return list(mapped(predictor, chunks))

    return answer


def in_avx2(bundle: Bundle) -> dict[str, Answer]:
    """As on a processor without AVX-512; nothing where there is no compiler."""
    with tempfile.TemporaryDirectory() as folder:
        kernel = kernel_for("avx2", Path(folder))
    if kernel is None or not compiled.HAS_KERNEL:
        return {}
    names = vars(compiled)
    own, names["_kernel"] = names["_kernel"], kernel
    try:
        return {"nsmc in AVX2": ours(bundle)}
    finally:
        names["_kernel"] = own


def in_numpy(bundle: Bundle) -> Answer:
    """As where the package was built without a compiler."""
    has_kernel, compiled.HAS_KERNEL = compiled.HAS_KERNEL, False
    try:
        return ours(bundle)
    finally:
        compiled.HAS_KERNEL = has_kernel


def in_batches(bundle: Bundle, logits: Callable[[list[list[int]]], Any]) -> Answer:
    """Tokenizes as we do, and gives reviews of about the same length together."""
    longest = bundle.config.max_length

    def answer(texts: Sequence[str]) -> Any:
        if len(texts) == 1:
            return logits([bundle.tokenizer.encode(texts[0])[:longest]])
        encoded = bundle.tokenizer.encode_batch(list(texts))
        ids = sorted((each[:longest] for each in encoded), key=len)
        return [logits(ids[start : start + BATCH]) for start in range(0, len(ids), BATCH)]

    return answer


def through_onnxruntime(bundle: Bundle, cores: int) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    session = onnxruntime.InferenceSession(
        onnx_model(bundle).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def logits(token_ids: list[list[int]]) -> Any:
        lengths = np.array([len(row) for row in token_ids], dtype=np.int32)
        ids = np.zeros((len(token_ids), max(1, int(lengths.max()))), dtype=np.int64)
        for place, row in enumerate(token_ids):
            ids[place, : len(row)] = row
        return session.run(None, {"token_ids": ids, "lengths": lengths})

    return in_batches(bundle, logits)


def through_torch(bundle: Bundle, cores: int) -> Answer:
    import torch

    from nsmc.training.padding import pad

    torch.set_num_threads(cores)
    classifier = classifier_like(bundle.config).eval()  # the weights make no difference to the time

    def logits(token_ids: list[list[int]]) -> Any:
        with torch.inference_mode():
            return classifier(*pad(token_ids))

    return in_batches(bundle, logits)


def through_fasttext(model_file: Path) -> Answer:
    import fasttext

    model = fasttext.load_model(str(model_file))

    def answer(texts: Sequence[str]) -> Any:
        lines = [" ".join(text.split()) for text in texts]
        return model.predict(lines[0] if len(lines) == 1 else lines)

    return answer


if __name__ == "__main__":
    main()
