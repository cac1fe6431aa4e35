"""The torch classifier: independence of padding and company, and its equality with references.

Legend: B reviews, T tokens, E embedding, H hidden size of one direction, W layer width (H or 2H).
"""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nsmc.data.tokenizer import PAD_ID
from nsmc.runtime.bundle import POOLINGS, expected_shapes
from nsmc.runtime.encoders import ENCODERS
from nsmc.training.classifier import TextClassifier
from nsmc.training.encoders.recurrent import CELLS
from nsmc.training.padding import pad
from tests.bundles import classifier_like, config_of

V, E, H = 23, 5, 6
TOLERANCE = 1e-5

every_form = pytest.mark.parametrize(("cell", "pooling"), list(product(sorted(CELLS), POOLINGS)))
every_architecture = pytest.mark.parametrize(
    ("architecture", "pooling"), list(product(sorted(ENCODERS), POOLINGS))
)
reviews_of_ids = st.lists(
    st.lists(st.integers(0, V - 1), min_size=1, max_size=9), min_size=1, max_size=6
)


def classifier_of(
    cell: str = "gru",
    pooling: str = "last",
    bidirectional: bool = False,
    num_layers: int = 1,
    seed: int = 0,
    **more: Any,
) -> TextClassifier:
    """An untrained classifier in evaluation mode, its weights so large that all of them show."""
    torch.manual_seed(seed)
    config = config_of(
        architecture=cell,
        vocab_size=V,
        embedding_dim=E,
        hidden_size=H,
        num_layers=num_layers,
        bidirectional=bidirectional,
        pooling=pooling,
    )
    classifier = classifier_like(config, **more)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.normal_(0, 0.7)
    return classifier.eval()


def logits_of(classifier: TextClassifier, reviews: list[list[int]]) -> Tensor:
    with torch.inference_mode():
        return classifier(*pad(reviews))


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


# --- a review's logits do not depend on its company ---


@every_architecture
@settings(deadline=None, max_examples=12)
@given(
    reviews=reviews_of_ids,
    bidirectional=st.booleans(),
    num_layers=st.integers(1, 3),
    more_padding=st.integers(0, 7),
    seed=st.integers(0, 1000),
)
def test_a_review_has_the_same_logits_alone_in_any_batch_order_and_padding(
    architecture: str,
    pooling: str,
    reviews: list[list[int]],
    bidirectional: bool,
    num_layers: int,
    more_padding: int,
    seed: int,
) -> None:
    classifier = classifier_of(architecture, pooling, bidirectional, num_layers, seed=seed)
    alone = torch.cat([logits_of(classifier, [review]) for review in reviews])
    close(logits_of(classifier, reviews), alone)
    order = np.random.default_rng(seed).permutation(len(reviews))
    close(logits_of(classifier, [reviews[row] for row in order]), alone[order])
    # Not pad ids but any ids behind the last token: nothing there may be seen.
    token_ids, lengths = pad(reviews)
    wider = torch.cat([token_ids, token_ids.new_zeros(len(reviews), more_padding)], dim=1)
    is_padding = torch.arange(wider.shape[1]) >= lengths.unsqueeze(1)
    wider[is_padding] = torch.randint(V, (int(is_padding.sum()),))
    with torch.inference_mode():
        close(classifier(wider, lengths), alone)


@pytest.mark.parametrize("bidirectional", [False, True])
@every_architecture
def test_padding_gets_no_gradient(architecture: str, pooling: str, bidirectional: bool) -> None:
    classifier = classifier_of(architecture, pooling, bidirectional, num_layers=2)
    token_ids, lengths = pad([[3, 4, 5, 6], [7], [8, 9]])
    classifier(token_ids, lengths).square().sum().backward()
    gradient = classifier.text_encoder.embedding.weight.grad
    assert gradient is not None
    assert not gradient[PAD_ID].any()
    is_seen = gradient[3:10].any(dim=1)
    # A recurrent state has seen all tokens, and one of a convolution the last few.
    assert is_seen.all() if architecture in CELLS else is_seen.any()


@pytest.mark.parametrize("bidirectional", [False, True])
@every_architecture
def test_a_row_without_a_token_gets_the_bias_and_harms_no_other(
    architecture: str, pooling: str, bidirectional: bool
) -> None:
    classifier = classifier_of(architecture, pooling, bidirectional, num_layers=2)
    logits = classifier(*pad([[], [3, 4, 5], []]))
    close(logits[[0, 2]], classifier.ln1.bias.expand(2, 2))
    close(logits[1:2], logits_of(classifier, [[3, 4, 5]]))
    logits.square().sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all()
        for parameter in classifier.parameters()
    )


# --- equality with references ---


def reference_logits(
    classifier: TextClassifier, num_layers: int, bidirectional: bool, reviews: list[list[int]]
) -> Tensor:
    """The same network by torch's stacked layers on packed sequences, pooled row by row."""
    tensors = {name: torch.from_numpy(t) for name, t in classifier.bundle_tensors().items()}
    name = classifier.text_encoder.settings.architecture
    prefix = f"{name}."
    layers = CELLS[name](E, H, num_layers=num_layers, bidirectional=bidirectional, batch_first=True)
    own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    layers.load_state_dict(own, strict=True)
    token_ids, lengths = pad(reviews)
    embedded = nn.functional.embedding(token_ids, tensors["embedding.weight"])
    packed = nn.utils.rnn.pack_padded_sequence(
        embedded, lengths, batch_first=True, enforce_sorted=False
    )
    with torch.inference_mode():
        packed_outputs, final = layers(packed)
    outputs, _ = nn.utils.rnn.pad_packed_sequence(packed_outputs, batch_first=True)  # [B, T, W]
    states: Tensor = final[0] if isinstance(final, tuple) else final  # [layers x directions, B, H]
    pooled = []
    for row, length in enumerate(lengths.tolist()):
        steps = outputs[row, :length]  # [T, W]
        if classifier.pooling == "last":
            directions = 2 if bidirectional else 1
            pooled.append(states[-directions:, row].flatten())
        elif classifier.pooling == "mean":
            pooled.append(steps.mean(dim=0))
        elif classifier.pooling == "max":
            pooled.append(steps.max(dim=0).values)
        elif classifier.pooling == "max_mean":
            pooled.append(torch.cat([steps.max(dim=0).values, steps.mean(dim=0)]))
        else:
            shares = (steps @ tensors["attention.weight"][0]).softmax(dim=0)  # [T]
            pooled.append(shares @ steps)
    return torch.stack(pooled) @ tensors["ln1.weight"].T + tensors["ln1.bias"]


@every_form
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_logits_are_those_of_torch_s_stacked_layers_on_packed_sequences(
    cell: str, pooling: str, bidirectional: bool, num_layers: int
) -> None:
    classifier = classifier_of(cell, pooling, bidirectional, num_layers, seed=1)
    reviews = [[1, 2, 3, 4, 5, 6, 7], [8], [9, 10, 11, 9], [0, 12], [22] * 7]
    expected = reference_logits(classifier, num_layers, bidirectional, reviews)
    close(logits_of(classifier, reviews), expected)
    assert (expected[0] - expected[1]).abs().max() > 1e-2  # the reviews do differ


@every_form
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_bundle_s_tensors_have_exactly_the_names_and_shapes_that_its_config_expects(
    cell: str, pooling: str, bidirectional: bool, num_layers: int
) -> None:
    config = config_of(
        architecture=cell,
        vocab_size=V,
        embedding_dim=E,
        hidden_size=H,
        num_layers=num_layers,
        bidirectional=bidirectional,
        pooling=pooling,
        pad_id=PAD_ID,
        max_length=8,
        labels=("negative", "positive"),
    )
    tensors = classifier_of(cell, pooling, bidirectional, num_layers).bundle_tensors()
    assert {name: t.shape for name, t in tensors.items()} == expected_shapes(config)
    assert {t.dtype for t in tensors.values()} == {np.dtype(np.float32)}


class BlogClassifier(nn.Module):
    """The blog post's TextClassifier: an embedding, one layer, `ln1` on its last state."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.cell = cell
        self.embedding = nn.Embedding(V, E)
        self.add_module(cell, CELLS[cell](E, H, batch_first=True))
        self.ln1 = nn.Linear(H, 2)

    def forward(self, token_ids: Tensor) -> Tensor:
        outputs, _ = self.get_submodule(self.cell)(self.embedding(token_ids))
        return self.ln1(outputs[:, -1])


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_the_simplest_form_has_the_promised_names_and_loads_into_the_blog_s_module(
    cell: str,
) -> None:
    classifier = classifier_of(cell)
    tensors = classifier.bundle_tensors()
    gates = {"gru": 3, "lstm": 4}[cell] * H
    assert {name: t.shape for name, t in tensors.items()} == {
        "embedding.weight": (V, E),
        f"{cell}.weight_ih_l0": (gates, E),
        f"{cell}.weight_hh_l0": (gates, H),
        f"{cell}.bias_ih_l0": (gates,),
        f"{cell}.bias_hh_l0": (gates,),
        "ln1.weight": (2, H),
        "ln1.bias": (2,),
    }
    blog = BlogClassifier(cell)
    blog.load_state_dict({name: torch.from_numpy(t) for name, t in tensors.items()}, strict=True)
    review = [4, 8, 15, 16, 22, 1]
    with torch.inference_mode():
        close(logits_of(classifier, [review]), blog(torch.tensor([review])))


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_token_by_token_loop_as_in_the_blog_s_program_gives_the_logits(cell: str) -> None:
    classifier = classifier_of(cell)
    tensors = {name: torch.from_numpy(t) for name, t in classifier.bundle_tensors().items()}
    step = {"gru": nn.GRUCell, "lstm": nn.LSTMCell}[cell](E, H)
    own = {
        name: tensors[f"{cell}.{name}_l0"]
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    step.load_state_dict(own, strict=True)
    for review in ([7], [4, 8, 15, 16, 22, 1], [3] * 40):
        h, c = torch.zeros(1, H), torch.zeros(1, H)
        with torch.inference_mode():
            for token in review:
                x = tensors["embedding.weight"][token][None]
                if cell == "gru":
                    h = step(x, h)
                else:
                    h, c = step(x, (h, c))
        logits = h @ tensors["ln1.weight"].T + tensors["ln1.bias"]
        # In a batch with a longer review, as training saw it.
        close(logits_of(classifier, [review, [1] * 50])[:1], logits)


# --- dropout ---


DROPOUTS = (
    "dropout",
    "embedding_dropout",
    "output_dropout",
    "recurrent_dropout",
    "word_dropout",
)


def half(kind: str) -> dict[str, Any]:
    return {kind: 0.5}


@pytest.mark.parametrize("kind", DROPOUTS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_dropout_acts_in_training_alone(pooling: str, kind: str) -> None:
    without = classifier_of(pooling=pooling, num_layers=2)
    with_dropout = classifier_of(pooling=pooling, num_layers=2, **half(kind))
    batch = pad([[1, 2, 3], [4, 5]])
    with torch.inference_mode():
        assert torch.equal(with_dropout(*batch), without(*batch))
        with_dropout.train()
        torch.manual_seed(0)
        first, second = with_dropout(*batch), with_dropout(*batch)
        assert not torch.allclose(first, second)
        torch.manual_seed(0)
        assert torch.equal(with_dropout(*batch), first)  # the seed decides
        assert torch.equal(without.train()(*batch), without.eval()(*batch))


def seen_with(**dropout: Any) -> dict[str, Tensor]:
    """What goes into and out of the parts of a classifier in training."""
    classifier = classifier_of(num_layers=2, **dropout).train()
    seen: dict[str, Tensor] = {}

    def remember(name: str, module: nn.Module) -> None:
        module.register_forward_hook(
            lambda _module, inputs, outputs: seen.update(
                {
                    f"into {name}": inputs[0],
                    f"out of {name}": outputs[0] if isinstance(outputs, tuple) else outputs,
                }
            )
        )

    layers = classifier.text_encoder.encoder.layers
    modules = {"embedding": classifier.text_encoder.embedding, "ln1": classifier.ln1}
    for name, module in {**modules, **dict(layers.items())}.items():
        remember(name, module)
    torch.manual_seed(0)
    with torch.inference_mode():
        classifier(*pad([[1, 2, 3, 4]] * 50))
    seen["out of embedding"] = seen["out of embedding"].transpose(0, 1)  # asked token by token
    seen["out of _l1"] = seen["out of _l1"][:, -1]  # what is pooled
    return seen


BETWEEN = {
    "embedding_dropout": ("out of embedding", "into _l0"),
    "dropout": ("out of _l0", "into _l1"),
    "output_dropout": ("out of _l1", "into ln1"),
}


@pytest.mark.parametrize("kind", BETWEEN)
def test_each_dropout_acts_in_its_place_alone(kind: str) -> None:
    seen = seen_with(**half(kind))
    for other, (before, after) in BETWEEN.items():
        if other != kind:
            assert torch.equal(seen[after], seen[before])
    before, after = BETWEEN[kind]
    mask = (seen[after] / seen[before]).round()
    close(seen[after], seen[before] * mask)
    assert set(mask.flatten().tolist()) == {0.0, 2.0}
    assert not torch.equal(mask[0], mask[1])


@pytest.mark.parametrize("kind", ["embedding_dropout", "dropout"])
def test_a_review_s_tokens_share_one_mask(kind: str) -> None:
    seen = seen_with(**half(kind))
    before, after = BETWEEN[kind]
    mask = (seen[after] / seen[before]).round()  # [B, T, features]
    assert torch.equal(mask, mask[:, :1].expand_as(mask))


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_recurrent_dropout_silences_the_same_weights_for_all_tokens_and_reviews(cell: str) -> None:
    classifier = classifier_of(cell, recurrent_dropout=0.5).train()
    weight = classifier.get_parameter("text_encoder.encoder.layers._l0.weight_hh_l0")
    before = weight.detach().clone()
    torch.manual_seed(0)
    with torch.inference_mode():
        found = classifier(*pad([[1, 2, 3, 4], [5, 6]]))
    assert torch.equal(weight, before)  # what is kept is whole
    torch.manual_seed(0)
    kept = nn.functional.dropout(weight.detach(), 0.5)  # the same draw
    assert 0.3 < (kept == 0).float().mean() < 0.7
    with torch.no_grad():
        weight.copy_(kept)
    close(found, logits_of(classifier.eval(), [[1, 2, 3, 4], [5, 6]]))


def test_word_dropout_silences_whole_tokens_in_training_alone() -> None:
    classifier = classifier_of(word_dropout=0.25)
    seen: list[Tensor] = []
    classifier.get_submodule("text_encoder.encoder.layers._l0").register_forward_pre_hook(
        lambda _module, inputs: seen.append(inputs[0])
    )
    batch = pad([[1, 2, 3, 4, 5, 6, 7, 8]] * 50)
    torch.manual_seed(0)
    with torch.inference_mode():
        embedded = classifier.text_encoder.embedding(batch[0])  # [B, T, E]
        classifier(*batch)
        classifier.train()(*batch)
    in_use, in_training = seen
    assert torch.equal(in_use, embedded)
    mask = (in_training / embedded * 0.75).round()  # what is kept is louder, as in any dropout
    close(in_training, embedded * mask / 0.75)
    assert torch.equal(mask, mask[:, :, :1].expand_as(mask))  # a token is there or it is not
    assert set(mask.flatten().tolist()) == {0.0, 1.0}
    assert 0.6 < mask.mean() < 0.9
    assert not torch.equal(mask[0], mask[1])


# --- factorised embeddings ---


def test_a_factorised_embedding_has_few_parameters_and_the_bundle_its_product() -> None:
    classifier = classifier_of(embedding_rank=2)
    assert classifier.text_encoder.embedding.weight.shape == (V, 2)
    assert classifier.text_encoder.embedding_factor is not None
    product = (
        classifier.text_encoder.embedding.weight @ classifier.text_encoder.embedding_factor.weight.T
    )
    exported = torch.from_numpy(classifier.bundle_tensors()["embedding.weight"])
    assert exported.shape == (V, E)
    close(exported, product.detach())


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_factorised_embedding_s_logits_are_those_of_its_product(num_layers: int) -> None:
    classifier = classifier_of(embedding_rank=2, num_layers=num_layers)
    reviews = [[1, 2, 3], [4]]
    close(logits_of(classifier, reviews), reference_logits(classifier, num_layers, False, reviews))


# --- pad ---


@pytest.mark.parametrize("more", [{}, {"embedding_rank": 2}, {"word_dropout": 0.5}])
def test_embeddings_lie_token_by_token_as_the_recurrence_reads_them(more: dict[str, Any]) -> None:
    classifier = classifier_of(embedding_dropout=0.5, **more).train()
    embeddings = classifier.text_encoder.embed(pad([[1, 2, 3, 4]] * 3)[0])
    assert embeddings.shape == (3, 4, E)
    assert embeddings.transpose(0, 1).is_contiguous()


def test_pad_fills_with_the_pad_id_behind_the_tokens() -> None:
    token_ids, lengths = pad([[5, 6], [7], []])
    assert token_ids.tolist() == [[5, 6], [7, PAD_ID], [PAD_ID, PAD_ID]]
    assert lengths.tolist() == [2, 1, 0]
