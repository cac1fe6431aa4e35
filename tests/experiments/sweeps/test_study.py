"""The study is in its sweep's folder, whatever that folder is called."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nsmc.experiments.schema import check_config

pytestmark = pytest.mark.skipif(find_spec("optuna") is None, reason="needs the extra search")

Composed = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("name", ["a?1", "a#1", "a%31", "a b+c&d", "a{b}", "a::b", "한글 [1]"])
def test_folders_with_odd_names_hold_a_study_each(
    composed: Composed, tmp_path: Path, name: str
) -> None:
    from nsmc.experiments.sweeps.study import STUDY_FILE, Study

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None
    for folder in (tmp_path / name, tmp_path / f"{name}-other"):
        study = Study(folder, search, "val/accuracy", base=folder.name)
        study.begin(seed=1)
        assert (folder / STUDY_FILE).stat().st_size > 0
        assert study.count() == 1  # no trial of another folder's
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"{name}-other"])


def test_a_study_leaves_no_lock_of_its_own_behind_and_removes_those_of_the_dead(
    composed: Composed, tmp_path: Path
) -> None:
    from nsmc.experiments.sweeps.study import Study

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None

    def owners() -> set[str]:
        return {path.name for path in tmp_path.glob(".search.db.????????.lock")}

    (tmp_path / ".search.db.0123abcd.lock").touch()  # of a process that was killed
    first = Study(tmp_path, search, "val/accuracy", base="a")
    (of_first,) = owners()
    trial = first.begin(seed=1)
    second = Study(tmp_path, search, "val/accuracy", base="a")
    assert of_first in owners() and len(owners()) == 2
    assert second.left_behind() == []
    first.close()
    assert of_first not in owners() and len(owners()) == 1
    assert [each.number for each in second.left_behind()] == [trial.number]
    second.close()
    assert owners() == set()
