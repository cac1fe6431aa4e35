"""What a search may spend, what its trials may cost, and what it looks for."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.timing import microseconds
from nsmc.sweeps.costs import costs_of, least_megabytes
from tests.commands import train

pytestmark = pytest.mark.skipif(find_spec("optuna") is None, reason="needs the extra search")

Composed = Callable[..., dict[str, Any]]


@pytest.fixture
def study(composed: Composed, tmp_path: Path) -> Callable[..., Any]:
    """What opens a study with these settings of the search."""

    def opened(*settings: str) -> Any:
        from nsmc.sweeps.study import Study

        config = check_config(composed("data=sample", "search=optuna", *settings))
        assert config.search is not None
        return Study(tmp_path / "study", config.search, "val/accuracy", "base")

    return opened


def finished(accuracy: float) -> dict[str, Any]:
    return {"status": "finished", "metrics": {"val/accuracy": accuracy}}


def states(study: Any) -> list[str]:
    return [trial.state.name for trial in study._study.get_trials()]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_trial_over_a_limit_is_infeasible_for_optuna(
    study: Callable[..., Any], sampler: str
) -> None:
    limits = ("search.max_megabytes=2", "search.max_microseconds=50")
    opened = study(*limits, f"search.sampler={sampler}", "search.startup_trials=1")
    for number in range(3):
        opened.begin(seed=number)
    opened.finish(0, finished(0.9), {"megabytes": 3.0, "microseconds": 40.0})
    opened.finish(1, finished(0.8), {"megabytes": 1.0, "microseconds": 40.0})
    opened.spare(2, 5.5)
    assert states(opened) == ["COMPLETE", "COMPLETE", "PRUNED"]
    kept = [[*trial.constraints.values()] for trial in opened._study.get_trials()]
    assert kept == [[1.0, -10.0], [-1.0, -10.0], [3.5, -50.0]]
    opened.begin(seed=4)  # the sampler works with them
    assert opened._study.best_trial.number == 1


def test_several_objectives_make_a_front(study: Callable[..., Any]) -> None:
    opened = study("search.objectives=[accuracy,size]", "search.startup_trials=1")
    for number, (accuracy, size) in enumerate([(0.9, 3.0), (0.8, 1.0), (0.7, 2.0)]):
        opened.begin(seed=number)
        opened.finish(number, finished(accuracy), {"megabytes": size})
    assert sorted(trial.number for trial in opened._study.best_trials) == [0, 1]
    opened.begin(seed=4)
    opened.spare(3, 9.0)
    opened.begin(seed=5)
    opened.finish(4, finished(0.5), {})  # its size is not known
    assert states(opened)[3:] == ["PRUNED", "FAIL"]
    assert set(opened.importances()) == set(opened.search.space)


def test_a_budget_of_hours_is_of_all_starts_together(study: Callable[..., Any]) -> None:
    opened = study("search.hours=2")
    assert opened.may_begin() and opened.spent() == 0
    opened.spend(3600)
    opened.close()
    again = study("search.hours=2")
    assert again.may_begin() and again.spent() == 1
    again.spend(3600)
    assert not again.may_begin()
    again._study.set_user_attr("seconds", "much")  # as somebody may have written it
    assert again.spent() == 0


def test_a_size_is_known_before_training_once_the_vocabulary_is(
    composed: Composed, tmp_path: Path
) -> None:
    config = check_config(composed("data=sample", "data.vocab_size=1000"))
    assert least_megabytes(config, tmp_path) == 0
    bundle = tmp_path / "job" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text(json.dumps({"vocab_size": 1000}))
    record = {"status": "finished", "signature": "s", "config": config.model_dump()}
    (bundle.parent / "run.json").write_text(json.dumps(record))
    # 1,000 tokens of 128 numbers; a GRU of 128 with two biases; two labels.
    parameters = 1000 * 128 + 3 * 128 * (128 + 128 + 2) + 128 * 2 + 2
    assert least_megabytes(config, tmp_path) == parameters * 4 / 1e6
    larger = check_config(composed("data=sample", "data.vocab_size=2000"))
    assert least_megabytes(larger, tmp_path) == parameters * 4 / 1e6  # it may have no more
    other = check_config(composed("data=sample", "data.normalization=nfd"))
    assert least_megabytes(other, tmp_path) == 0


def test_a_time_is_measured_once_and_kept(composed: Composed, tmp_path: Path) -> None:
    config = check_config(composed("data=sample", "search=optuna", "search.max_microseconds=1"))
    assert config.search is not None
    record = {"microseconds": 12.5, "bundle_bytes": 2_000_000}
    assert costs_of(tmp_path, record, config.search) == {"megabytes": 2.0, "microseconds": 12.5}
    assert 0 < microseconds(PRETRAINED, ["재밌다", "별로"]) < 1e6
    with pytest.raises(ValueError, match="nowhere: the time of a review was not measured"):
        microseconds(tmp_path / "nowhere", ["x"])


SPACE = "space: {model.hidden_size: [4, 8, 64], model.dropout: [0.0, 0.1, 0.2]}"
SEARCH = f"trials: 5\nn_jobs: 1\nsampler: random\npruner: median\nstartup_trials: 1\n{SPACE}\n"


def search(folder: Path, *settings: str) -> tuple[str, ...]:
    (folder / "config" / "search").mkdir(parents=True, exist_ok=True)
    file = folder / "config" / "search" / "mine.yaml"
    file.write_text(SEARCH + "trial: null\n" + "".join(f"{line}\n" for line in settings))
    place = f"hydra.sweep.dir={folder}/sweep"
    return ("-m", f"--config-dir={folder}/config", "search=mine", place, "trainer.max_epochs=1")


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in folder.glob("sweep/*/run.json")]


def test_a_search_over_its_limits_and_its_hours(corpus: Path, tmp_path: Path) -> None:
    # 300 tokens of 128 numbers have 0.15 MB, and 64 states add as much.
    limits = ("max_megabytes: 0.25", "max_microseconds: 1.0e+6")
    first = train(corpus, *search(tmp_path, *limits, "hours: 1.0e-9"))
    assert "search.hours=1e-09: spent; no further trial begins" in first.stderr
    assert len(records(tmp_path)) == 1
    rest = train(corpus, *search(tmp_path, *limits, "hours: 1.0"))
    found = records(tmp_path)
    assert all(record["microseconds"] > 0 for record in found if record["status"] == "finished")
    large = [r for r in found if r["config"]["model"]["hidden_size"] == 64]
    assert len(large) <= 1  # the first, before anything was known
    assert "not trained: 0." in rest.stderr and "MB at least, search.max_megabytes" in rest.stderr
    refused = train(corpus, *search(tmp_path, *limits), "task=linear", expect=1)
    assert "search.max_megabytes, search.max_microseconds: for task=classify" in refused.stderr
