"""Writes a bundle's network as `nsmc.onnx`, and compares it with the bundle in onnxruntime."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nsmc.conversion.graph import onnx_model
from nsmc.runtime.bundle import (
    CONFIG_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    config_json,
    digests,
    whole_bundle,
)
from nsmc.runtime.extras import needs_extra
from nsmc.runtime.loading import Bundle
from nsmc.runtime.packing import Array

_BATCH = 256  # reviews that are compared together


def write_onnx(
    bundle: Bundle,
    tokenizer_file: Path,
    output: Path,
    token_ids: Sequence[Sequence[int]],
    compared: Callable[[Array], float],
) -> float:
    """Write a folder with `nsmc.onnx`, `tokenizer.json` and `config.json`, whole or not at all.

    `compared` is given onnxruntime's probabilities for `token_ids` [N, 2] and may refuse them.
    Returns what it returns. Raises ValueError without the libraries, and what `whole_bundle`
    raises.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('--to onnx', 'onnx')}") from None
    model = onnx_model(bundle)
    onnx.checker.check_model(model, full_check=True)
    with whole_bundle(output) as scratch:
        (scratch / ONNX_FILE).write_bytes(model.SerializeToString())
        shutil.copyfile(tokenizer_file, scratch / TOKENIZER_FILE)
        (scratch / CONFIG_FILE).write_text(_config(bundle, scratch), encoding="utf-8")
        session = onnxruntime.InferenceSession(
            str(scratch / ONNX_FILE), providers=["CPUExecutionProvider"]
        )
        return compared(_answers(session, token_ids))


def _config(bundle: Bundle, folder: Path) -> str:
    """The bundle's configuration, of what is in this folder: float32 weights and other files."""
    sha256 = digests(folder, (ONNX_FILE, TOKENIZER_FILE))
    return config_json(dataclasses.replace(bundle.config, dtype="float32", sha256=sha256))


def _answers(session: "onnxruntime.InferenceSession", token_ids: Sequence[Sequence[int]]) -> Array:  # type: ignore[name-defined]  # noqa: F821
    found = []
    for start in range(0, len(token_ids), _BATCH):
        rows = token_ids[start : start + _BATCH]
        lengths = np.array([len(row) for row in rows], dtype=np.int32)
        ids = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        found.append(session.run(None, {"token_ids": ids, "lengths": lengths})[0])
    return np.concatenate(found)
