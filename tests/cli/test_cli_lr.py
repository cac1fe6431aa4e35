"""`nsmc lr` tests a range of learning rates, draws it, and suggests one that trains."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nsmc.cli import main
from nsmc.config.schema import check_config
from nsmc.runs.lr_range import range_test
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
    assert "from 2.0 up to 1.0 in 200 steps: no range above 0" in capsys.readouterr().err


@expected_warnings
def test_the_rates_grow_and_the_test_repeats_itself(
    composed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    config = check_config(composed(*SMALL, f"data.cache_dir={tmp_path}"))
    first, second = (range_test(config, 30, 1e-4, 0.1) for _ in range(2))
    assert first == second
    assert first.rates == sorted(first.rates) and first.rates[-1] <= 0.1
