"""Pretraining: the exact loss by a slow loop, the drawn one by its expectation, and its limits."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as L
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nsmc.data.batching import Batch
from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.encoding import EncodedReviews
from nsmc.data.tokenizer import PAD_ID
from nsmc.training.encoders.recurrent import CELLS
from nsmc.training.language_model import LanguageModel, LanguageModule, token_counts
from nsmc.training.padding import pad
from nsmc.training.text_encoder import TextEncoder
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewTrainer = Callable[..., L.Trainer]

V, E, H = 23, 5, 6

reviews_of_ids = st.lists(
    st.lists(st.integers(1, V - 1), min_size=1, max_size=9), min_size=1, max_size=6
)
# Several layers, or both directions of one.
forms = [(cell, form) for cell, form in product(sorted(CELLS), ((1, False), (1, True), (3, False)))]
every_form = pytest.mark.parametrize(("cell", "form"), forms)


def model_of(
    cell: str = "gru",
    form: tuple[int, bool] = (1, True),
    num_sampled: int = 8,
    counts: list[int] | None = None,
    **more: Any,
) -> LanguageModel:
    """An untrained language model, its weights so large that all of them show."""
    torch.manual_seed(0)
    num_layers, bidirectional = form
    text_encoder = TextEncoder(
        vocab_size=V,
        architecture=cell,
        embedding_dim=E,
        hidden_size=H,
        num_layers=num_layers,
        bidirectional=bidirectional,
        **more,
    )
    model = LanguageModel(text_encoder, num_sampled, None if counts is None else np.array(counts))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.7)
    return model.eval()


def batch_of(reviews: list[list[int]]) -> Batch:
    token_ids, lengths = pad(reviews)
    zeros = torch.zeros(len(reviews), dtype=torch.long)
    return Batch(token_ids, lengths, zeros, zeros, zeros.float())


def exact(model: LanguageModel, reviews: list[list[int]]) -> float:
    with torch.inference_mode():
        return float(model.loss(batch_of(reviews))[0])


# --- the exact loss ---


def losses_by_hand(model: LanguageModel, review: list[int]) -> list[float]:
    """The loss of each token and of the end, forwards and then backwards, one step at a time."""
    tensors = {n: torch.from_numpy(t) for n, t in model.text_encoder.bundle_tensors().items()}
    cell, found = model.text_encoder.settings.architecture, []
    kinds: dict[str, Any] = {"gru": nn.GRUCell, "lstm": nn.LSTMCell}
    ways = zip(("", "_reverse"), (review, review[::-1]), model.projections, strict=False)
    for way, tokens, projection in ways:
        layers = []
        for layer in range(len(model.text_encoder.encoder.settings.suffixes)):
            step = kinds[cell](H if layer else E, H)
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            step.load_state_dict({n: tensors[f"{cell}.{n}_l{layer}{way}"] for n in names})
            layers.append(step)
        states: list[Any] = [None] * len(layers)
        for token, following in zip(tokens, [*tokens[1:], PAD_ID], strict=True):
            x = tensors["embedding.weight"][token][None]
            for layer, step in enumerate(layers):
                states[layer] = step(x, states[layer])
                x = states[layer][0] if cell == "lstm" else states[layer]
            scores = tensors["embedding.weight"] @ projection(x)[0] + model.bias
            found.append(-float(scores.log_softmax(dim=0)[following].detach()))
    return found


@every_form
@pytest.mark.parametrize("review", [[7], [4, 8, 15, 16, 22, 1], [3] * 20])
def test_the_exact_loss_is_that_of_a_token_by_token_loop(
    cell: str, form: tuple[int, bool], review: list[int]
) -> None:
    model = model_of(cell, form)
    expected = losses_by_hand(model, review)
    assert len(expected) == len(review) * (1 + form[1])
    assert exact(model, [review]) == pytest.approx(np.mean(expected), abs=1e-5)


@every_form
@settings(deadline=None, max_examples=15)
@given(reviews=reviews_of_ids, more_padding=st.integers(0, 5))
def test_the_loss_of_a_batch_is_that_of_its_tokens_whatever_the_padding(
    cell: str, form: tuple[int, bool], reviews: list[list[int]], more_padding: int
) -> None:
    model = model_of(cell, form)
    expected = [loss for review in reviews for loss in losses_by_hand(model, review)]
    batch = batch_of(reviews)
    wider = nn.functional.pad(batch.token_ids, (0, more_padding), value=PAD_ID)
    with torch.inference_mode():
        loss, count = model.loss(batch)
        again, _ = model.loss(batch._replace(token_ids=wider))
    assert float(loss) == pytest.approx(np.mean(expected), abs=1e-4)
    assert count == len(expected)
    assert float(loss) == pytest.approx(float(again), abs=1e-5)


def test_what_is_scored_at_once_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    model, reviews = model_of(), [[1, 2, 3, 4, 5], [6, 7, 8]]
    expected = exact(model, reviews)
    monkeypatch.setattr("nsmc.training.language_model._SCORED_AT_ONCE", 3)
    assert exact(model, reviews) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("form", [(1, False), (1, True), (3, False)])
def test_no_state_sees_what_it_is_to_predict(form: tuple[int, bool]) -> None:
    model = model_of(form=form)
    # They differ in the fourth token, which is the third from the end.
    batches = [batch_of([review]) for review in ([4, 8, 15, 16, 22, 1], [4, 8, 15, 3, 22, 1])]
    with torch.inference_mode():
        one, other = ([queries for queries, _ in model._queries(batch)] for batch in batches)
    for ours, theirs, same in zip(one, other, (3, 2), strict=False):
        torch.testing.assert_close(ours[:same], theirs[:same])
        assert not torch.isclose(ours[same:], theirs[same:]).all(dim=1).any()


# --- the loss against drawn tokens ---


def drawn(model: LanguageModel, batch: Batch, seed: int) -> Any:
    torch.manual_seed(seed)
    return model.training_loss(batch)


@pytest.mark.parametrize("form", [(1, False), (1, True), (2, False)])
def test_with_every_token_drawn_it_is_the_exact_loss_whatever_the_odds(
    form: tuple[int, bool],
) -> None:
    reviews, counts = [[1, 2, 3], [4]], list(range(1, V + 1))
    model = model_of(form=form, num_sampled=50_000, counts=counts)
    with torch.inference_mode():
        found = float(drawn(model, batch_of(reviews), 0))
    assert found == pytest.approx(exact(model, reviews), abs=1e-5)


@pytest.mark.parametrize("num_sampled", [1, 4, 12])
def test_of_the_drawn_tokens_a_step_leaves_out_the_one_to_be_predicted(num_sampled: int) -> None:
    model, batch = model_of(num_sampled=num_sampled), batch_of([[1, 9, 22, 3], [4, 22], [17, 8, 5]])
    torch.manual_seed(5)
    tokens = torch.multinomial(model.noise, num_sampled, replacement=True).tolist()
    losses = []
    with torch.inference_mode():
        for queries, targets in model._queries(batch):
            scores = F.linear(queries, model.text_encoder.embedding.weight, model.bias)
            scores -= model.log_included
            for row, target in zip(scores, targets.tolist(), strict=True):
                candidates = [target, *({*tokens} - {target})]
                losses.append(float(row[candidates].logsumexp(dim=0) - row[target]))
        found = float(drawn(model, batch, 5))
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-4)


@pytest.mark.parametrize("num_sampled", [32, 1000])
def test_what_it_learns_is_how_often_tokens_occur(
    num_sampled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = [1200 // rank for rank in range(1, V + 1)]
    frequencies = torch.tensor(counts) / sum(counts)
    model = model_of(num_sampled=num_sampled, counts=counts)
    targets = torch.arange(V).repeat_interleave(torch.tensor(counts))
    queries = torch.zeros(len(targets), E)  # so that the bias is all there is to learn
    monkeypatch.setattr(model, "_queries", lambda batch: [(queries, targets)])
    with torch.no_grad():
        model.bias.copy_(frequencies.log())
    optimizer = torch.optim.SGD([model.bias], lr=0.3)
    torch.manual_seed(0)
    for _ in range(400):
        optimizer.zero_grad()
        model.training_loss(batch_of([[1]])).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    learnt = model.bias.detach().softmax(dim=0)

    torch.testing.assert_close(learnt, frequencies, rtol=0.2, atol=0.0)


def test_the_noise_is_the_flattened_frequency_and_what_never_occurs_can_be_drawn() -> None:
    counts = [3, 0, 16, 1] + [1] * (V - 4)
    model = model_of(counts=counts)
    odds = np.array([3, 0.5, 16, 1] + [1] * (V - 4)) ** 0.75
    assert model.noise.tolist() == pytest.approx((odds / odds.sum()).tolist(), abs=1e-6)
    included = 1 - (1 - odds / odds.sum()) ** 8
    assert model.log_included.exp().tolist() == pytest.approx(included.tolist())


def test_the_seed_decides_what_is_drawn() -> None:
    model, batch = model_of(), batch_of([[1, 2, 3], [4]])
    first, again, other = (drawn(model, batch, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_step_gives_every_weight_a_finite_gradient() -> None:
    model = model_of(form=(1, True)).train()
    drawn(model, batch_of([[1, 2, 3], [4]]), 0).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


# --- counts ---


def test_counts_are_those_of_what_is_to_be_predicted() -> None:
    reviews = EncodedReviews(
        np.array([5, 5, 7, 1], np.uint16), np.array([0, 3, 4]), np.zeros(2, np.int8)
    )
    expected = np.zeros(V, int)
    expected[[5, 7, 1]] = 2, 1, 1
    expected[PAD_ID] = 2  # the end of each review
    assert token_counts(reviews, V).tolist() == expected.tolist()


# --- refused combinations ---


def test_several_layers_in_both_directions_are_refused() -> None:
    with pytest.raises(ValueError, match="pretrain one layer, or one direction"):
        model_of(form=(2, True))


def test_a_factorised_embedding_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.embedding_rank cannot be pretrained; set null"):
        model_of(embedding_rank=2)


# --- training ---


def module_of(datamodule: ReviewDataModule, **changes: Any) -> LanguageModule:
    torch.manual_seed(0)
    vocab_size = datamodule.corpus.tokenizer().get_vocab_size()
    encoder = {
        "vocab_size": vocab_size,
        "architecture": "gru",
        "embedding_dim": 6,
        "hidden_size": 8,
        "num_layers": 1,
        "bidirectional": True,
    }
    return LanguageModule(
        encoder={**encoder, **changes},
        optimization={
            "optimizer": "adamw",
            "lr": 0.02,
            "weight_decay": 0.0,
            "schedule": "constant",
        },
        num_sampled=32,
        counts=token_counts(datamodule.training_reviews, vocab_size),
    )


def mean_loss(module: LanguageModule, datamodule: ReviewDataModule) -> float:
    """Over all tokens of the validation part at once."""
    with torch.inference_mode():  # there is no dropout
        found = [module.language_model.loss(batch) for batch in datamodule.val_dataloader()]
    return sum(float(loss) * count for loss, count in found) / sum(count for _, count in found)


def test_training_against_drawn_tokens_lowers_the_exact_loss(
    datamodule: ReviewDataModule, new_trainer: NewTrainer
) -> None:
    module = module_of(datamodule)
    before = mean_loss(module, datamodule)
    trainer = new_trainer(max_epochs=15)
    trainer.fit(module, datamodule=datamodule)
    after = mean_loss(module, datamodule)
    assert before == pytest.approx(np.log(module.network.embedding.num_embeddings), abs=0.3)
    assert after < 0.7 * before
    # Batches have different numbers of tokens, so a mean of the batches' means would show.
    assert float(trainer.callback_metrics["val/loss"]) == pytest.approx(after, abs=1e-5)
