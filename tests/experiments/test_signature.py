"""The signature changes with what can change a result, and with nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from nsmc.experiments.schema import check_config
from nsmc.experiments.signature import signature

Composed = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    "override",
    [
        "data.root=/elsewhere",
        "data.cache_dir=/elsewhere",
        "logger=none",
        "trainer.log_every_n_steps=7",
        "trainer.threads=1",
        "callbacks.seconds_between_lines=1",
        "callbacks.checkpoint.minutes=1",
        "sweep.name=mine",
        "resume=auto",
    ],
)
def test_paths_and_logging_do_not_change_it(composed: Composed, override: str) -> None:
    plain, other = check_config(composed()), check_config(composed(override))
    assert plain != other
    assert signature(plain, "corpus") == signature(other, "corpus")


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "test=false",
        "data.vocab_size=300",
        "data.split_seed=9",
        "data.batch_size=7",
        "model=lstm",
        "model.dropout=0.1",
        "trainer.max_epochs=2",
        "trainer.precision=bf16-mixed",
        "callbacks.checkpoint.monitor=val/loss",
        "callbacks.early_stopping.patience=1",
    ],
)
def test_what_changes_the_result_changes_it(composed: Composed, override: str) -> None:
    plain, other = check_config(composed()), check_config(composed(override))
    assert signature(plain, "corpus") != signature(other, "corpus")


def test_another_corpus_changes_it(composed: Composed) -> None:
    config = check_config(composed())
    assert signature(config, "one") != signature(config, "two")
