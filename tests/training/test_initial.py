"""Starting from a bundle: its weights are copied, and another shape is named by its overrides."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from nsmc.runtime.bundle import POOLINGS, expected_shapes
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.loading import Bundle
from nsmc.training.classifier import TextClassifier
from nsmc.training.initial import start_from
from tests.bundles import TOKENIZER, changed, classifier_like, config_of

V = 257
LABELS = ("negative", "positive")
CONFIG = config_of(
    architecture="gru",
    vocab_size=V,
    embedding_dim=5,
    hidden_size=6,
    num_layers=1,
    bidirectional=False,
    pooling="last",
    pad_id=0,
    max_length=64,
    labels=LABELS,
)


def bundle_of(**changes: Any) -> Bundle:
    config = changed(CONFIG, **changes)
    generator = np.random.default_rng(0)
    tensors = {
        name: generator.normal(0, 1, shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    return Bundle(config, tensors, TOKENIZER)


def like(bundle: Bundle, **changes: Any) -> TextClassifier:
    torch.manual_seed(0)
    return classifier_like(bundle.config, **changes)


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional", "num_layers"),
    list(product(sorted(ENCODERS), POOLINGS, (False, True), (1, 2))),
)
def test_a_classifier_gets_every_weight_of_its_like(
    cell: str, pooling: str, bidirectional: bool, num_layers: int
) -> None:
    bundle = bundle_of(
        architecture=cell, pooling=pooling, bidirectional=bidirectional, num_layers=num_layers
    )
    network = like(bundle)
    start_from(network, bundle, "run", LABELS)
    found = network.bundle_tensors()
    assert found.keys() == bundle.tensors.keys()
    for name, tensor in bundle.tensors.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


def test_a_classifier_gets_an_encoder_s_weights_and_keeps_its_own_head() -> None:
    bundle = bundle_of(labels=(), bidirectional=True)
    network = like(bundle, pooling="attention", label_count=2)
    before = network.bundle_tensors()
    heads = {name: before[name].copy() for name in before if name not in bundle.tensors}
    start_from(network, bundle, "run", LABELS)
    found = network.bundle_tensors()
    assert heads.keys() == {"attention.weight", "ln1.weight", "ln1.bias"}
    for name, tensor in {**bundle.tensors, **heads}.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


@pytest.mark.parametrize("labels", [("bad", "fair", "good"), ("positive", "negative")])
def test_a_classifier_of_other_labels_gets_the_encoder_s_weights_and_a_line_says_so(
    labels: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bundle = bundle_of(pooling="attention")
    network = like(bundle, label_count=len(labels))
    heads = {name: tensor.detach().clone() for name, tensor in network.head_tensors().items()}
    start_from(network, bundle, "run", labels)
    assert all(torch.equal(network.head_tensors()[name], heads[name]) for name in heads)
    for name, tensor in network.text_encoder.bundle_tensors().items():
        np.testing.assert_array_equal(tensor, bundle.tensors[name], err_msg=name)
    (line,) = caplog.messages
    assert line.startswith("init_from=run answers 'negative', 'positive' and this run ")
    assert line.endswith(f"{labels[-1]!r}: it gives the encoder alone")


def test_a_head_of_the_same_labels_fits_however_they_are_written() -> None:
    bundle = bundle_of(labels=("True", "0.50"))
    network = like(bundle)
    start_from(network, bundle, "run", ("true", "0.5"))
    for name, tensor in network.head_tensors().items():
        np.testing.assert_array_equal(tensor.detach(), bundle.tensors[name], err_msg=name)


def test_an_encoder_gets_a_classifier_s_weights_without_its_head() -> None:
    bundle = bundle_of()
    network = like(bundle).text_encoder
    start_from(network, bundle, "run", LABELS)
    for name, tensor in network.bundle_tensors().items():
        np.testing.assert_array_equal(tensor, bundle.tensors[name], err_msg=name)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_one_direction_starts_from_the_first_of_both(cell: str) -> None:
    bundle = bundle_of(architecture=cell, bidirectional=True)
    network = like(bundle, bidirectional=False)
    head = network.ln1.weight.detach().clone()
    start_from(network, bundle, "run", LABELS)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        found = network.bundle_tensors()[f"{cell}.{name}_l0"]
        np.testing.assert_array_equal(found, bundle.tensors[f"{cell}.{name}_l0"])
    assert torch.equal(network.ln1.weight, head)  # the bundle's has another width


def test_another_pooling_of_another_width_keeps_its_own_head() -> None:
    bundle = bundle_of(pooling="last")
    network = like(bundle, pooling="max_mean")
    head = network.ln1.weight.detach().clone()
    start_from(network, bundle, "run", LABELS)
    assert torch.equal(network.ln1.weight, head)
    np.testing.assert_array_equal(
        network.text_encoder.embedding.weight.detach().numpy(), bundle.tensors["embedding.weight"]
    )


def test_the_bundle_s_own_tensors_are_not_trained_on() -> None:
    bundle = bundle_of()
    before = {name: tensor.copy() for name, tensor in bundle.tensors.items()}
    network = like(bundle)
    start_from(network, bundle, "run", LABELS)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    for name, tensor in before.items():
        np.testing.assert_array_equal(bundle.tensors[name], tensor)


# --- another shape ---


def refusal(network: TextClassifier, bundle: Bundle) -> str:
    before = {name: tensor.copy() for name, tensor in network.bundle_tensors().items()}
    with pytest.raises(ValueError) as caught:
        start_from(network, bundle, "outputs/runs/a", LABELS)
    for name, tensor in network.bundle_tensors().items():
        np.testing.assert_array_equal(tensor, before[name])
    message = str(caught.value)
    assert message.startswith("init_from=outputs/runs/a: ") and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("theirs", "ours", "needed"),
    [
        ({"architecture": "lstm"}, {"architecture": "gru"}, "model=lstm"),
        ({"embedding_dim": 7}, {"embedding_dim": 5}, "model.embedding_dim=7"),
        ({"hidden_size": 7}, {"hidden_size": 6}, "model.hidden_size=7"),
        ({"num_layers": 2}, {"num_layers": 1}, "model.num_layers=2"),
        ({}, {"num_layers": 2}, "model.num_layers=1"),
        (
            {"architecture": "cnn", "filter_widths": [3, 5]},
            {"architecture": "cnn", "filter_widths": [3]},
            "model.filter_widths=[3,5]",
        ),
        ({}, {"bidirectional": True}, "model.bidirectional=false"),
        (
            {"bidirectional": True, "num_layers": 2},
            {"bidirectional": False},
            "model.bidirectional=true",
        ),
        (
            {"hidden_size": 7, "architecture": "lstm"},
            {"hidden_size": 6, "architecture": "gru"},
            "model=lstm model.hidden_size=7",
        ),
    ],
)
def test_another_shape_names_the_overrides_that_are_needed_and_no_others(
    theirs: dict[str, Any], ours: dict[str, Any], needed: str
) -> None:
    bundle = bundle_of(**theirs)
    message = refusal(like(bundle, **ours), bundle)
    assert message.endswith(f": that bundle needs {needed}")


def test_a_factorised_embedding_is_refused() -> None:
    bundle = bundle_of()
    message = refusal(like(bundle, embedding_rank=2), bundle)
    assert "needs model.embedding_rank=null" in message


def test_another_vocabulary_is_refused() -> None:
    bundle = bundle_of()
    message = refusal(like(bundle, vocab_size=V + 1), bundle)
    assert "its tokens are others; leave out data.tokenizer" in message
