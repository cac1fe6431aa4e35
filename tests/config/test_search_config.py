"""The section `search`: names of objectives, and URLs whose passwords are shown nowhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.overrides import readable
from nsmc.config.schema import check_config
from tests.commands import run, train_command

Composed = Callable[..., dict[str, Any]]
SECRET = "hunter2"


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ("[accuracy,sise]", "search.objectives: no objective 'sise'; did you mean size?"),
        ("[accuracy,speed7]", "no objective 'speed7'; there are accuracy, macro_f1"),
        ("[accuracy]", "search.objectives=[accuracy]: must be two or three different ones"),
        ("[size,size]", "must be two or three different ones"),
        ("accuracy", "must be two or three different ones"),
    ],
)
def test_objectives_are_checked_by_name(composed: Composed, objectives: str, message: str) -> None:
    values = composed("data=sample", "search=optuna", f"search.objectives={objectives}")
    with pytest.raises(ValueError) as raised:
        check_config(values)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@host/db",
        f"postgresql+psycopg://me:{SECRET}@host:5432/db",
        f"mysql://:{SECRET}/x@host/db",
        f"postgresql://host/db?user=me&password={SECRET}",
    ],
)
def test_a_password_is_refused_and_not_shown(composed: Composed, url: str) -> None:
    values = composed("data=sample", "search=optuna")
    values["search"]["storage"] = url
    with pytest.raises(ValueError, match="has a password") as raised:
        check_config(values)
    with pytest.raises(ValueError, match="env:SEARCH_URL") as before_hydra:
        readable(f"search.storage={url}")
    assert SECRET not in str(raised.value) + str(before_hydra.value)


@pytest.mark.parametrize(
    "url", ["postgresql://me@host/db", "postgresql:///db?host=/run", "env:SEARCH_URL"]
)
def test_a_url_without_a_password_is_taken(composed: Composed, url: str) -> None:
    values = composed("data=sample", "search=optuna", readable(f"search.storage={url}"))
    search = check_config(values).search
    assert search is not None and search.storage == url


def test_a_typed_password_reaches_no_file(corpus: Path, tmp_path: Path) -> None:
    url = f"search.storage=postgresql://me:{SECRET}@host/db"
    for flags in ((), ("-m",)):
        folders = (f"hydra.run.dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep")
        command = train_command(corpus, *flags, "search=optuna", url, *folders)
        finished = run(command, expect=1)
        assert SECRET not in finished.stdout + finished.stderr
        assert "search.storage: has a password" in finished.stderr
    assert list(tmp_path.iterdir()) == []
