"""Of a key that does not exist the one that was meant is named."""

import pytest

from nsmc.config.schema import KEYS


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("model.hiden_size", "model.hidden_size"),
        ("trainer.epochs", "trainer.min_epochs or trainer.max_epochs"),
        ("trainer.accumulate_batches", "trainer.accumulate_grad_batches"),
        ("trainer.val_every_n_epoch", "trainer.check_val_every_n_epoch"),
        ("modle.lr", "model.lr"),
        ("optimizer.lr", "model.lr"),
        ("lr", "model.lr"),
        ("trainer.batch_size", "data.batch_size"),
        ("sed", "seed"),
        ("model.cell", "model.architecture"),
        ("model.adversarial_size", "model.adversarial_epsilon"),
        ("variant", "ablation"),
    ],
)
def test_an_unknown_key_names_the_one_that_was_meant(key: str, meant: str) -> None:
    assert KEYS.unknown(key) == f"{key}: no such key; did you mean {meant}?"


@pytest.mark.parametrize(
    "key",
    ["zzzzzz", "trainer.foo", "model/gru"],
)
def test_an_unknown_key_that_is_like_no_other_gets_no_suggestion(key: str) -> None:
    assert KEYS.unknown(key) == f"{key}: no such key; nsmc train --cfg job shows all"
