"""The test vectors in a bundle against the predictor and against torch's own layers."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nsmc.runtime.bundle import TOKENIZER_FILE, VECTORS_FILE, WEIGHTS_FILE, rewrite_config
from nsmc.runtime.confidence import measured_confidence
from nsmc.runtime.golden import PROBES, TOLERANCE, rescale_vectors, write_vectors
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.probes import LONE_SURROGATES
from tests.bundles import changed, config_of, random_bundle


def vectors_of(folder: Path) -> list[dict[str, Any]]:
    write_vectors(folder)
    content = json.loads((folder / VECTORS_FILE).read_text(encoding="utf-8"))
    assert content["tolerance"] == TOLERANCE
    found: list[dict[str, Any]] = content["vectors"]
    assert [each["text"] for each in found[: len(PROBES)]] == list(PROBES)
    for each in content["utf16_vectors"]:
        units = np.array(each.pop("utf16"), "<u2").tobytes()
        found.append({"text": units.decode("utf-16-le", "surrogatepass"), **each})
    return found


def test_they_are_the_predictor_s_own(tmp_path: Path) -> None:
    labels = ("나쁨", "보통", "좋음")
    folder = random_bundle(
        tmp_path / "bundle", pooling="max_mean", bidirectional=True, labels=labels
    )
    predictor = Predictor.load(folder)
    vectors = vectors_of(folder)
    texts = [each["text"] for each in vectors]
    assert [each["ids"] for each in vectors] == predictor.encode(texts)
    found = np.array([each["logits"] for each in vectors])
    expected = predictor.logits([each["ids"] for each in vectors])
    assert expected.shape == (len(texts), 3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    probabilities = [each["probabilities"] for each in vectors]
    np.testing.assert_allclose(probabilities, predictor.probabilities(texts), atol=TOLERANCE)
    assert {*LONE_SURROGATES} < {*texts}
    assert np.ptp(found, axis=0).min() > 0.01  # the texts do differ


def test_ids_are_those_of_the_tokenizer_alone_cut_at_max_length(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", max_length=9)
    tokenizer = read_tokenizer(folder / TOKENIZER_FILE)
    lengths = []
    for each in vectors_of(folder):
        whole = tokenizer.encode(each["text"].encode("utf-8", "replace").decode())
        assert each["ids"] == whole[:9]
        lengths.append(len(whole))
    assert min(lengths) < 9 < max(lengths)


@pytest.mark.parametrize(
    ("cell", "layers", "bidirectional", "dtype"),
    list(product(("gru", "lstm"), (1, 2), (False, True), ("float32", "float16"))),
)
def test_they_are_what_torch_s_own_layers_compute(
    tmp_path: Path, cell: str, layers: int, bidirectional: bool, dtype: str
) -> None:
    folder = random_bundle(
        tmp_path / "bundle",
        architecture=cell,
        num_layers=layers,
        bidirectional=bidirectional,
        dtype=dtype,
    )
    weights = {name: value.float() for name, value in load_file(folder / WEIGHTS_FILE).items()}
    kind = torch.nn.GRU if cell == "gru" else torch.nn.LSTM
    network = kind(5, 7, num_layers=layers, bidirectional=bidirectional).eval()
    network.load_state_dict(
        {name.removeprefix(f"{cell}."): v for name, v in weights.items() if name.startswith(cell)}
    )
    for each in vectors_of(folder):
        if not each["ids"]:  # which torch refuses
            np.testing.assert_allclose(each["logits"], weights["ln1.bias"], rtol=0, atol=1e-5)
            continue
        embedded = weights["embedding.weight"][torch.tensor(each["ids"], dtype=torch.long)]
        with torch.inference_mode():
            _, state = network(embedded[:, None])
        last = state[0] if cell == "lstm" else state  # [layers x directions, 1, hidden]
        pooled = torch.cat(list(last[-2:] if bidirectional else last[-1:]), dim=-1)
        logits = pooled @ weights["ln1.weight"].T + weights["ln1.bias"]
        np.testing.assert_allclose(each["logits"], logits[0].numpy(), rtol=0, atol=1e-5)


def test_writing_them_again_changes_nothing(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle")
    write_vectors(folder)
    before = (folder / VECTORS_FILE).read_bytes()
    write_vectors(folder)
    assert (folder / VECTORS_FILE).read_bytes() == before
    Predictor.load(folder)  # which they do not trouble


def test_probabilities_follow_a_temperature_that_is_known_later(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle")
    rescale_vectors(folder, config_of())
    assert not (folder / VECTORS_FILE).exists()  # of an encoder there are none
    before = vectors_of(folder)
    labels = np.arange(200) % 2
    confidence = measured_confidence(labels, np.eye(2)[labels] * 3 - (labels % 3 == 0)[:, None])
    assert confidence and confidence["temperature"] != 1
    calibrated = changed(config_of(), confidence=confidence)
    rescale_vectors(folder, calibrated)
    after = json.loads((folder / VECTORS_FILE).read_text(encoding="utf-8"))
    rewrite_config(folder, calibrated, "")
    again = vectors_of(folder)
    for old, new, own in zip(before, after["vectors"], again, strict=False):
        assert old["logits"] == new["logits"] == own["logits"]
        np.testing.assert_allclose(new["probabilities"], own["probabilities"], atol=2e-6)
        assert old["probabilities"] != new["probabilities"]


def test_an_encoder_has_none(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", labels=())
    with pytest.raises(ValueError, match="classifies nothing"):
        write_vectors(folder)
    assert not (folder / VECTORS_FILE).exists()
