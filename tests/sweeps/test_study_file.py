"""What a search's file may hold; tests/sweeps/test_study.py tampers with whole files."""

import sys
from pathlib import Path
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


def test_a_database_that_cannot_be_reached_is_no_matter_of_the_sweep_s_name(tmp_path: Path) -> None:
    from sqlalchemy.exc import OperationalError

    from nsmc.sweeps.database import url_of
    from nsmc.sweeps.study_file import readable

    refused = OperationalError("SELECT secret", {}, Exception("connection refused"))
    for database, advice in (
        ("search.storage=mysql://me@host/db", "start its server, or correct search.storage"),
        (str(tmp_path / "search.db"), "choose another name for the sweep, or remove the file"),
    ):
        ends = pytest.raises(ValueError, match=rf"connection refused\); {advice}$")
        with ends as raised, readable(database):
            raise refused
        assert "secret" not in str(raised.value)
    for module, url, advice in (
        ("psycopg", "postgresql://me@host/db", 'needs the extra "postgresql"'),
        ("MySQLdb", "mysql://me@host/db", "mysql://…: its driver is missing .*; install a driver"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(ValueError, match=advice):
                url_of(url)
