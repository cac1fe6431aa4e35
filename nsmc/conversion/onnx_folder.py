"""A bundle in ONNX's form: the folder, and what onnxruntime answers with it."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime

from nsmc.conversion.card import onnx_card
from nsmc.conversion.onnx import onnx_model
from nsmc.runtime.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    VECTORS_FILE,
    config_json,
    digests,
    fill_bundle,
    json_text,
    write_tokenizer,
)
from nsmc.runtime.golden import write_vectors
from nsmc.runtime.loading import Bundle
from nsmc.runtime.packing import Array

_BATCH = 256  # reviews that onnxruntime computes together


def fill_onnx(folder: Path, bundle: Bundle, tokenizer_file: Path, card: str, weights: str) -> None:
    """Write a bundle in ONNX's form into an empty folder, with float32 or int8 `weights`.

    `card` is the bundle's.
    """
    model = onnx_model(bundle, weights)
    onnx.checker.check_model(model, full_check=True)
    (folder / ONNX_FILE).write_bytes(model.SerializeToString())
    write_tokenizer(folder, bundle.config, tokenizer_file)
    sha256 = digests(folder, (ONNX_FILE, TOKENIZER_FILE))
    config = dataclasses.replace(bundle.config, dtype=weights, sha256=sha256)
    (folder / CONFIG_FILE).write_text(config_json(config), encoding="utf-8")
    (folder / CARD_FILE).write_text(onnx_card(card, bundle.config, weights), encoding="utf-8")
    _write_vectors(folder, bundle, tokenizer_file)


def _write_vectors(folder: Path, bundle: Bundle, tokenizer_file: Path) -> None:
    """A bundle's, with the probabilities that onnxruntime computes and without the logits."""
    with TemporaryDirectory() as name:
        scratch, config = Path(name), dataclasses.replace(bundle.config, dtype="float32")
        fill_bundle(scratch, config, bundle.tensors, tokenizer_file, "")
        write_vectors(scratch)
        content = json.loads((scratch / VECTORS_FILE).read_text("utf-8"))
    lists = [value for value in content.values() if isinstance(value, list)]
    vectors = [vector for each in lists for vector in each]
    answers = probabilities(folder, [vector["ids"] for vector in vectors]).tolist()
    for vector, answer in zip(vectors, answers, strict=True):
        del vector["logits"]
        vector["probabilities"] = [round(share, 6) for share in answer]
    (folder / VECTORS_FILE).write_text(json_text(content), encoding="utf-8")


def probabilities(folder: Path, token_ids: Sequence[Sequence[int]]) -> Array:
    """Those of reviews [N, C], computed by onnxruntime."""
    session = onnxruntime.InferenceSession(
        str(folder / ONNX_FILE), providers=["CPUExecutionProvider"]
    )
    batches = []
    for start in range(0, len(token_ids), _BATCH):
        reviews = token_ids[start : start + _BATCH]
        lengths = np.array([len(review) for review in reviews], dtype=np.int32)
        ids = np.zeros((len(reviews), int(lengths.max())), dtype=np.int64)
        for row, review in zip(ids, reviews, strict=True):
            row[: len(review)] = review
        batches.append(session.run(None, {"token_ids": ids, "lengths": lengths})[0])
    return np.concatenate(batches)
