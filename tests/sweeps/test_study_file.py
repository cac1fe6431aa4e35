"""What a search's file may hold; tests/sweeps/test_study.py tampers with whole files."""

from types import SimpleNamespace
from typing import Any

import pytest

optuna: Any = pytest.importorskip("optuna")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"lr": 0.1, "size": 8}, ""),
        ({"lr": 0.1, "size": 4}, ""),
        ({"lr": 0.5, "size": 8}, "lr"),
        ({"lr": 0.1, "size": 6}, "'6' not in"),
        ({"lr": 10**400, "size": 8}, "too large"),
        ({"lr": 0.1}, "size"),
        ({"lr": 0.1, "size": 8, "+hydra.x": 1}, "hydra.x"),
    ],
)
def test_a_trial_has_the_search_s_parameters_with_values_in_its_space(
    parameters: dict[str, Any], problem: str
) -> None:
    from nsmc.sweeps.study_file import problem_of

    lr = optuna.distributions.FloatDistribution(0.01, 0.1, log=True)
    space = {"lr": lr, "size": optuna.distributions.CategoricalDistribution([4, 8])}
    trial: Any = SimpleNamespace(params=parameters)
    found = problem_of(trial, space)
    assert problem in found and bool(problem) == bool(found)


def test_names_of_files_in_the_folder() -> None:
    from nsmc.sweeps.study_file import is_name

    assert is_name("lstm_seed-1_3fa9c1") and is_name(".search.db-0123abcd.lock")
    assert not any(map(is_name, ("", ".", "..", "../x", "a/b", "a\\b", "a\0", None, 7)))
