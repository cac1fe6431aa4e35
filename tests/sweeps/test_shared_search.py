"""Processes that share a search through a PostgreSQL server, and no folder, as machines may."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from tests.commands import started, train, train_command
from tests.postgres import Server, make_stale, programs, server, states

pytestmark = pytest.mark.skipif(
    programs() is None or not all(map(find_spec, ("optuna", "psycopg"))),
    reason="needs a PostgreSQL server's programs and the extras search and postgresql",
)

SEARCH = """trials: 6
n_jobs: 1
sampler: random
pruner: median
startup_trials: 2
storage: env:SEARCH_URL
space: {model.lr: {low: 0.001, high: 0.1, log: true}}
trial: null
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def on_machine(folder: Path, name: str) -> list[str]:
    """Overrides for one of the machines: its outputs are its own."""
    (folder / "config" / "search").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "search" / "mine.yaml").write_text(SEARCH, encoding="utf-8")
    own = [f"hydra.sweep.dir={folder}/{name}/shared-lr", "trainer.max_epochs=20"]
    return ["-m", f"--config-dir={folder}/config", "search=mine", *own]


def test_one_of_two_processes_is_killed_and_every_trial_comes_out_once(
    corpus: Path, tmp_path: Path, postgres: Server
) -> None:
    number = -1
    commands = [train_command(corpus, *on_machine(tmp_path, name)) for name in ("a", "b")]
    with (
        started(commands[0], SEARCH_URL=postgres.url) as (killed, said),
        started(commands[1], SEARCH_URL=postgres.url) as other,
    ):
        for line in said:
            if begun := re.search(r"trial (\d): ", line):
                number = int(begun[1])
            if "epoch 3/" in line:
                break
        killed.kill()
        make_stale(postgres, "shared-lr", number)
        told = other[1].read()
        assert other[0].wait() == 0, told
    again = on_machine(tmp_path, "a")  # for what was left, if anything
    finished = train(corpus, *again, SEARCH_URL=postgres.url)
    late = train(corpus, *on_machine(tmp_path, "c"), SEARCH_URL=postgres.url)
    assert "no trial was left to begin here" in late.stderr
    found = states(postgres, "shared-lr")
    assert len(found) == 6 and {*found} <= {"COMPLETE", "PRUNED"}
    records = [json.loads(path.read_text()) for path in tmp_path.glob("[ab]/*/*/run.json")]
    done = [r for r in records if r["status"] in ("finished", "pruned")]
    assert sorted(r["config"]["search"]["trial"] for r in done) == [*range(6)]
    assert {r["config"]["search"]["storage"] for r in done} == {"env:SEARCH_URL"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and all(postgres.password.encode() not in path.read_bytes() for path in files)
    assert postgres.password not in told + finished.stdout + finished.stderr


@pytest.fixture
def search(composed: Any) -> Any:
    settings = ("data=sample", "search=optuna", "search.storage=env:SEARCH_URL")
    return check_config(composed(*settings)).search


@pytest.fixture
def begun(
    search: Any, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """What opens a search of this test's own, once that has a finished trial and one under way."""
    from nsmc.sweeps.study import Study

    monkeypatch.setenv("SEARCH_URL", postgres.url)
    opened = []

    def open_again(machine: str = "a") -> Any:
        opened.append(Study(tmp_path / machine / tmp_path.name, search, "val/accuracy", "base"))
        return opened[-1]

    study = open_again()
    with study.locked():
        for number in range(2):
            study.claim(study.begin(seed=number), f"job-{number}")
    study.finish(0, {"status": "finished", "metrics": {"val/accuracy": 0.5}}, {})
    study._owner._has_left.set()  # from here on it says nothing, as if it had been killed
    study._owner._thread.join()
    monkeypatch.setattr("nsmc.sweeps.storage.SECONDS_WITHOUT_SIGN", 1e6)  # on a busy machine, too
    yield open_again
    for study in opened:
        study.close()


def test_a_trial_is_left_behind_once_its_process_says_nothing_any_more(
    begun: Any, postgres: Server, tmp_path: Path
) -> None:
    other = begun("b")
    assert other.left_behind() == [] and other.count() == 2
    make_stale(postgres, tmp_path.name, 1)
    assert [trial.number for trial in other.left_behind()] == [1]
    with other.locked():
        other.claim(other.left_behind()[0], "job-1")
    assert other.left_behind() == []
    other.close()  # it says that it is at work no more
    assert [trial.number for trial in begun("c").left_behind()] == [1]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE trials SET number = number + 7 WHERE {trial}", "trial 0 is missing"),
        ("UPDATE trial_params SET param_name = 'x' WHERE param_name = 'model.lr' AND {trial}", "x"),
        ("UPDATE trial_params SET distribution_json = '[' WHERE {trial}", "no search"),
        ("DELETE FROM trial_values WHERE {trial}", "0 values for 1 objectives"),
        ("UPDATE study_directions SET direction = 'MINIMIZE'", "looks for something else"),
    ],
)
def test_what_others_wrote_into_the_database_is_checked(
    begun: Any, postgres: Server, tmp_path: Path, statement: str, why: str
) -> None:
    ids = "SELECT trial_id FROM trials JOIN studies USING (study_id)"
    of_study = f"trial_id IN ({ids} WHERE study_name = '{tmp_path.name}')"
    postgres.execute(statement.format(trial=of_study))
    with pytest.raises(ValueError, match=r"search\.storage=postgresql.*:\*\*\*@.*") as raised:
        begun("b")
    assert why in str(raised.value) and postgres.password not in str(raised.value)
    postgres.execute("UPDATE study_directions SET direction = 'MAXIMIZE'")


def test_a_database_that_fails_in_between_ends_in_one_line(begun: Any, postgres: Server) -> None:
    study = begun("b")
    postgres.execute("ALTER TABLE trials RENAME TO elsewhere")
    try:
        named = pytest.raises(ValueError, match=r"^search\.storage=.*not to be reached")
        with named as raised, study.reached(), study.locked():
            study.left_behind()
    finally:
        postgres.execute("ALTER TABLE elsewhere RENAME TO trials")
    assert "SELECT" not in str(raised.value) and postgres.password not in str(raised.value)


def test_a_server_that_is_not_there_is_named_without_its_password(
    search: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nsmc.sweeps.study import Study

    monkeypatch.setenv("SEARCH_URL", f"postgresql://me:hunter2@/db?host={tmp_path}")
    with pytest.raises(ValueError, match=r"search\.storage=postgresql://me:\*\*\*@") as raised:
        Study(tmp_path / "sweep", search, "val/accuracy", "base")
    assert "hunter2" not in str(raised.value)
    assert "No such file" in str(raised.value)
    assert str(raised.value).endswith("; start its server, or correct search.storage")
