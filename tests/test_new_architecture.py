"""An architecture whose states and settings are unlike ours needs no change elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from nsmc.config.schema import ModelConfig, check_section, section_of
from nsmc.conversion.convert import convert
from nsmc.conversion.onnx import onnx_model
from nsmc.runtime import encoders as in_numpy
from nsmc.runtime.bundle import CONFIG_FILE, POOLINGS
from nsmc.runtime.encoders.settings import own_settings
from nsmc.runtime.loading import Bundle, read_bundle, read_config
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import softmax
from nsmc.training import encoders as in_torch
from nsmc.training.initial import start_from
from nsmc.training.padding import pad
from tests.bag import BagSettings, TorchBagEncoder
from tests.bundles import TOKENIZER, classifier_like, config_of, random_bundle, random_tensors

REVIEWS = [[5, 6, 7, 8, 9], [5], [], [7, 7], [12, 3, 200]]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(in_numpy.ENCODERS, "bag", BagSettings)
    monkeypatch.setitem(in_torch.ENCODERS, "bag", TorchBagEncoder)


@pytest.mark.parametrize("sign", ["plus", "minus"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_states_may_lie_anywhere(pooling: str, sign: str) -> None:
    """The logits are the same alone and beside longer reviews, in torch, numpy and ONNX."""
    config = config_of(architecture="bag", size=6, shift=50.0, sign=sign, pooling=pooling)
    bundle = Bundle(config, random_tensors(config), TOKENIZER)
    classifier = classifier_like(config).eval()
    start_from(classifier, bundle, "bundle", config.labels)
    ids, lengths = pad(REVIEWS)
    with torch.inference_mode():
        alone = np.concatenate([classifier(*pad([review])).numpy() for review in REVIEWS])
        together = classifier(ids, lengths).numpy()
    assert np.ptp(alone, axis=0).min() > 10
    for logits in (together, Predictor(bundle).logits(REVIEWS)):
        np.testing.assert_allclose(logits, alone, rtol=1e-5, atol=1e-5)
    session = onnxruntime.InferenceSession(onnx_model(bundle).SerializeToString())
    feed = {"token_ids": ids.numpy(), "lengths": lengths.to(torch.int32).numpy()}
    np.testing.assert_allclose(session.run(None, feed)[0], softmax(alone), rtol=0, atol=1e-4)


OWN: dict[str, Any] = {"size": 6, "shift": -0.5, "sign": "minus"}
WRONG = [("size", 0), ("size", 6.0), ("shift", 100.5), ("shift", "x"), ("sign", "times")]


def test_settings_of_every_kind_are_in_the_bundle_and_checked(tmp_path: Path) -> None:
    like = config_of(architecture="bag", pooling="max", **OWN)
    folder = convert(random_bundle(tmp_path / "bundle", like=like), "float16").folder
    assert read_bundle(folder).config.encoder == like.encoder
    content = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    assert content.items() >= OWN.items()
    for key, value in WRONG:
        (folder / CONFIG_FILE).write_text(json.dumps({**content, key: value}), encoding="utf-8")
        with pytest.raises(ValueError, match=f"{key} is {value!r}; expected "):
            read_config(folder / CONFIG_FILE)


def test_settings_of_every_kind_are_in_the_configuration_and_checked(
    composed: Callable[..., dict[str, Any]],
) -> None:
    section, model = section_of("bag"), composed()["model"]
    values = {key: model[key] for key in ModelConfig.model_fields}
    values |= {"architecture": "bag", **OWN}
    assert check_section(section, values, "model").encoder().items() >= OWN.items()
    for key, value in WRONG:
        with pytest.raises(ValueError, match=rf"^model\.{key}={value}: must be "):
            check_section(section, {**values, key: value}, "model")


@pytest.mark.parametrize("annotation", [int, str, list[int]])
def test_a_setting_without_a_range_is_named(annotation: type) -> None:
    class Other(BagSettings):
        pass

    Other.__annotations__ = {"size": annotation}
    with pytest.raises(TypeError, match=r"^Other\.size is .*; a setting is bool, a Literal of"):
        own_settings(Other)
