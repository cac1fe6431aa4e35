"""How a sweep's arguments become jobs; tests/test_sweeps.py runs whole sweeps."""

from typing import Any

from nsmc.sweeps.sweep import split


def test_each_combination_of_values_is_a_job() -> None:
    loader: Any = None  # which only glob(*) asks
    arguments = ["seed=1,2", "model=gru", "data.labels=[a,b],[c,d]"]
    assert split(loader, arguments) == [
        [f"seed={seed}", "model=gru", f"data.labels={labels}"]
        for seed in (1, 2)
        for labels in ("[a,b]", "[c,d]")
    ]
