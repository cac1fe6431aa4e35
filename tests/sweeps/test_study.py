"""The study is in its sweep's folder, whatever that folder is called."""

import contextlib
import re
import sqlite3
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config

pytestmark = pytest.mark.skipif(find_spec("optuna") is None, reason="needs the extra search")

Composed = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("name", ["a?1", "a#1", "a%31", "a b+c&d", "a{b}", "a::b", "한글 [1]"])
def test_folders_with_odd_names_hold_a_study_each(
    composed: Composed, tmp_path: Path, name: str
) -> None:
    from nsmc.sweeps.study import Study
    from nsmc.sweeps.study_file import STUDY_FILE

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None
    for folder in (tmp_path / name, tmp_path / f"{name}-other"):
        study = Study(folder, search, "val/accuracy", base=folder.name)
        study.begin(seed=1)
        assert (folder / STUDY_FILE).stat().st_size > 0
        assert study.count() == 1  # no trial of another folder's
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"{name}-other"])


@pytest.fixture
def begun(composed: Composed, tmp_path: Path) -> Callable[..., Any]:
    """A search with a finished trial and one that was left behind, after a change to its file."""

    def begin(statement: str = "") -> Any:
        from nsmc.sweeps.study import Study

        config = check_config(composed("data=sample", "search=optuna"))
        assert config.search is not None
        study = Study(tmp_path, config.search, "val/accuracy", base="base")
        for number in range(2):
            study.claim(study.begin(seed=number), f"job-{number}")
        study.finish(0, {"status": "finished", "metrics": {"val/accuracy": 0.5}}, {})
        study.close()
        with contextlib.closing(sqlite3.connect(tmp_path / "search.db")) as database:
            database.execute(statement)
            database.commit()
        return Study(tmp_path, config.search, "val/accuracy", base="base")

    return begin


LEFT_BEHIND = "WHERE trial_id=2"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            f"SET param_name='+hydra.x' {LEFT_BEHIND} AND param_name='model.lr'",
            r"Inconsistent parameters .*\+hydra\.x",
        ),
        (
            f"SET param_value=0.7 {LEFT_BEHIND} AND param_name='model.lr'",
            r"0\.7 .*'model\.lr' isn't",
        ),
    ],
)
def test_a_trial_left_behind_of_another_space_has_failed(
    begun: Callable[..., Any], caplog: pytest.LogCaptureFixture, change: str, why: str
) -> None:
    study = begun(f"UPDATE trial_params {change}")
    assert study.left_behind() == []
    assert study.left_behind() == []  # named once, since it is left behind no more
    (line,) = caplog.messages
    assert line.startswith("search.db: trial 1 has failed: ")
    assert re.search(why, line)


def test_a_trial_names_files_in_its_folder_alone(begun: Callable[..., Any], tmp_path: Path) -> None:
    victim = tmp_path.parent / f"{tmp_path.name}-victim"
    study = begun(f"UPDATE trial_user_attributes SET value_json='\"../{victim.name}\"'")
    assert len(study.left_behind()) == 1
    assert not victim.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW evil AS SELECT 1",
        "ALTER TABLE trials ADD COLUMN evil TEXT AS (zeroblob(1000000000))",
        "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM trials; END",
        "UPDATE trial_params SET distribution_json='['",
        "UPDATE trials SET number=number+7",
        "UPDATE trial_params SET param_name='other' WHERE param_name='model.lr'",
        "DROP TABLE trial_params",
    ],
)
def test_a_file_that_is_no_search_of_ours_ends_in_one_line(
    begun: Callable[..., Any], statement: str
) -> None:
    with pytest.raises(ValueError, match=r"search\.db: damaged, or .* remove the file"):
        begun(statement)


def test_a_search_for_something_else_has_other_settings(composed: Composed, tmp_path: Path) -> None:
    from nsmc.sweeps.study import Study

    def of(base: str, *overrides: str, **changed: Any) -> Study:
        search = check_config(composed("data=sample", "search=optuna", *overrides)).search
        assert search is not None
        return Study(tmp_path / "o1", search.model_copy(update=changed), "val/accuracy", base)

    first = of("a", "search.objectives=[accuracy,size]")
    first.claim(first.begin(seed=1), "job")
    first.finish(0, {"status": "finished", "metrics": {"val/accuracy": 0.5}}, {"megabytes": 1.0})
    first.close()
    same = {"objectives": ["accuracy", "size"]}
    for changed in ({}, {"objectives": ["size", "accuracy"]}, {**same, "space": {"seed": [1]}}):
        with pytest.raises(ValueError, match=r"^sweep=o1 holds a search with other settings"):
            of("b", **changed)
    with pytest.raises(ValueError, match="looks for something else") as raised:
        of("a")  # a file that was changed
    assert "remove" not in str(raised.value)


def test_a_study_leaves_no_lock_of_its_own_behind_and_removes_those_of_the_dead(
    composed: Composed, tmp_path: Path
) -> None:
    from nsmc.sweeps.study import Study

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None

    def owners() -> set[str]:
        return {path.name for path in tmp_path.glob(".search.db-????????.lock")}

    (tmp_path / ".search.db-0123abcd.lock").touch()  # of a process that was killed
    first = Study(tmp_path, search, "val/accuracy", base="a")
    (of_first,) = owners()
    trial = first.begin(seed=1)
    first.claim(trial, "job")
    second = Study(tmp_path, search, "val/accuracy", base="a")
    assert of_first in owners() and len(owners()) == 2
    assert second.left_behind() == []
    first.close()
    assert of_first not in owners() and len(owners()) == 1
    assert [each.number for each in second.left_behind()] == [trial.number]
    second.close()
    assert owners() == set()


def test_a_file_of_search_storage_is_shared_by_sweeps_of_one_name(
    composed: Composed, tmp_path: Path
) -> None:
    from nsmc.sweeps.study import Study

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None
    shared = search.model_copy(update={"storage": f"sqlite:///{tmp_path}/all.db"})
    first, other, second = (
        Study(tmp_path / name, shared, "val/accuracy", base="base")
        for name in ("a/tuned", "a/other", "b/tuned")
    )
    with first.locked():
        first.claim(first.begin(seed=1), "job")
    assert (first.count(), other.count(), second.count()) == (1, 0, 1)
    assert second.left_behind() == []
    first.close()
    assert [trial.number for trial in second.left_behind()] == [0]
    for study in (other, second):
        study.close()


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("env:NSMC_NO_SUCH", "search.storage=env:NSMC_NO_SUCH: the variable NSMC_NO_SUCH is not"),
        ("sqlite://", "no file; write sqlite:////PATH"),
        ("nosuch://host/db", "search.storage: no URL of a database"),
        ("postgresql+nosuch://host/db", "search.storage: no URL of a database"),
    ],
)
def test_a_url_that_names_no_database_is_refused(
    composed: Composed, tmp_path: Path, storage: str, message: str
) -> None:
    from nsmc.sweeps.study import Study

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None
    shared = search.model_copy(update={"storage": storage})
    with pytest.raises(ValueError, match=re.escape(message)):
        Study(tmp_path, shared, "val/accuracy", base="base")
