"""What makes a search another one."""

from collections.abc import Callable
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.sweeps.search import _base


@pytest.mark.parametrize("experiment", ["blog", "linear"])
def test_a_search_for_another_metric_is_another_one(
    composed: Callable[..., dict[str, Any]], experiment: str
) -> None:
    settings = ("data=sample", f"experiment={experiment}", "search=optuna")
    by_accuracy, again, by_loss, longer = (
        _base(check_config(composed(*settings, *more)))
        for more in (
            [],
            ["callbacks.checkpoint.monitor=val/accuracy"],
            ["callbacks.checkpoint.monitor=val/loss"],
            ["search.trials=99"],
        )
    )
    assert by_accuracy == again == longer != by_loss
