"""`nsmc lr` tests a range of learning rates, draws it, and suggests one that trains."""

import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from nsmc.cli import main
from nsmc.config.schema import check_config
from nsmc.runs.lr_range import _steepest_fall, range_test
from nsmc.training.module import SentimentModule
from tests.training.conftest import expected_warnings

SMALL = (
    *("data=sample", "data.vocab_size=400", "data.batch_size=32", "trainer.accelerator=cpu"),
    *("model.hidden_size=8", "model.embedding_dim=8", "trainer.threads=1"),
)


@expected_warnings
def test_the_command_suggests_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "plots" / "lr.png"
    cache = f"data.cache_dir={tmp_path}/cache"
    assert main(["lr", *SMALL, cache, "--steps", "60", "--output", str(plot)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    suggested = re.search(r"data=sample .*model\.lr=([\d.e-]+)$", said, re.MULTILINE)
    assert suggested and 1e-4 < float(suggested[1]) < 1, said
    assert main(["lr", *SMALL, cache, "--lowest", "2"]) == 1
    said = capsys.readouterr().err
    assert "--lowest 2 --highest 1: no range above 0" in said
    assert "it/s" not in said  # a bar's line
    assert main(["lr", *SMALL, cache, "--steps", "1"]) == 1
    assert "--steps 1: a range test needs 10 and more" in capsys.readouterr().err
    assert main(["lr", *SMALL, "--config-dir", "nowhere"]) == 1
    assert "--config-dir nowhere: no such folder" in capsys.readouterr().err


@expected_warnings
def test_the_users_own_configuration_is_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    own = "# @package _global_\nmodel:\n  optimizer: {_target_: torch.optim.SGD}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(own)
    # Lines stand for the bar where the output is no terminal.
    more = (f"data.cache_dir={tmp_path}/cache", "callbacks.log_interval_seconds=1e-9")
    words = ["lr", "--config-dir", str(tmp_path), *SMALL, *more, "experiment=mine"]
    plot = ("--output", str(tmp_path / "lr.png"))
    main([*words, "--steps", "12", "--lowest", "0.01", *plot])
    assert "12 of 12 steps" in capsys.readouterr().err


@expected_warnings
@pytest.mark.parametrize(
    ("first_nan", "message"),
    [
        (1, "the loss of the first step is nan already, at a learning rate of 1e-05"),
        (3, "the loss exploded after 2 of 20 steps, at a learning rate of "),
    ],
)
def test_a_loss_that_is_no_number_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    first_nan: int,
    message: str,
) -> None:
    step, calls = SentimentModule.training_step, itertools.count(1)

    def broken(self: SentimentModule, *batch: Any) -> dict[str, Tensor]:
        factor = math.nan if next(calls) >= first_nan else 1.0
        return {"loss": step(self, *batch)["loss"] * factor}

    monkeypatch.setattr(SentimentModule, "training_step", broken)
    words = ["lr", *SMALL, f"data.cache_dir={tmp_path}/cache", "--steps", "20"]
    assert main([*words, "--output", str(tmp_path / "lr.png")]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and message in said[0]


@expected_warnings
def test_the_rates_grow_and_the_test_repeats_itself(
    composed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    config = check_config(composed(*SMALL, f"data.cache_dir={tmp_path}"))
    first, second = (range_test(config, 30, 1e-4, 0.1) for _ in range(2))
    assert first == second
    assert first.rates == sorted(first.rates) and first.rates[-1] <= 0.1
    assert 0.6 < first.losses[0] < 0.8  # of two labels, that of a guess


def test_a_flat_start_is_not_the_steepest_fall() -> None:
    flat = [0.69 + 0.001 * (-1) ** (step // 2) for step in range(60)]
    falling = [0.69 - 0.02 * step for step in range(10)]
    exploding = [0.5 + step for step in range(5)]
    index = _steepest_fall([*flat, *falling, *exploding], begin=10)
    assert index is not None and 60 <= index < 70
    assert _steepest_fall([0.1 * step for step in range(20)], begin=2) is None
    assert _steepest_fall([0.5, 0.4], begin=0) is None
