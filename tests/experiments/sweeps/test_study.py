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
    from nsmc.experiments.sweeps.study import Study
    from nsmc.experiments.sweeps.study_file import STUDY_FILE

    search = check_config(composed("data=sample", "search=optuna")).search
    assert search is not None
    for folder in (tmp_path / name, tmp_path / f"{name}-other"):
        study = Study(folder, search, "val/accuracy", base=folder.name)
        study.begin(seed=1)
        assert (folder / STUDY_FILE).stat().st_size > 0
        assert study.count() == 1  # no trial of another folder's
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"{name}-other"])
