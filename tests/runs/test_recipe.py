"""A recipe runs its steps in order, each once, and refuses what would make it another recipe."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from nsmc.comparison.answers import read_answers
from nsmc.config import composition
from nsmc.config.hydra_releases import configurations_in
from nsmc.config.overrides import typed_for_steps
from nsmc.config.schema import RunConfig, check_config
from nsmc.runs import merged, prepare, recipe, recipe_checks
from nsmc.runs.job import run_job
from nsmc.runs.merged import Origin
from nsmc.runs.recipe import run_recipe
from nsmc.runs.recipe_checks import check_steps, step_overrides
from nsmc.runs.record import BusyError, final_step_config, read_record, write_record
from nsmc.runs.sources import check_held_out
from nsmc.runtime.bundle import VECTORS_FILE
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.bundles import random_bundle
from tests.commands import PROJECT, run, run_anew, write_corpus

Composed = Callable[..., dict[str, Any]]
Steps = Callable[..., dict[str, Any]]

FIRST: dict[str, Any] = {
    "task": "pretrain",
    "callbacks": {"checkpoint": {"monitor": "val/loss"}},
    "seed": 1,
}
SECOND: dict[str, Any] = {"init_from": "first"}
STEPS: dict[str, Any] = {"first": FIRST, "second": SECOND}


class Launcher:
    """Stands for the processes that train: notes what it is asked for, and leaves a result."""

    def __init__(self) -> None:
        self.asked: list[tuple[Path, list[str]]] = []
        self.found: list[dict[str, Any]] = []  # the records that were there
        self.broken = ""
        self.busy = ""

    def __call__(self, folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
        self.asked.append((folder, list(overrides)))
        self.found.append(read_record(folder) or {})
        if folder.name.startswith(f"{self.broken}-"):
            raise ValueError("broken")
        if folder.name.startswith(f"{self.busy}-"):
            self.busy = ""
            raise BusyError("busy")
        (folder / "bundle").mkdir(parents=True)
        for name in ("config.json", "nsmc.safetensors", "tokenizer.json"):
            (folder / "bundle" / name).write_text(folder.name)
        record = {"status": "finished", "seconds": 2.0, "metrics": {"val/accuracy": 0.5}}
        record["config"] = {"overrides": list(overrides)}
        write_record(folder, record)
        return record

    @property
    def names(self) -> list[str]:
        return [folder.name.rpartition("-")[0] for folder, _ in self.asked]


def set_composed(
    monkeypatch: pytest.MonkeyPatch, composed_step: Callable[[Sequence[str]], RunConfig]
) -> None:
    for module in (recipe, recipe_checks):
        monkeypatch.setattr(module, "composed", composed_step)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setattr(recipe, "RESULTS", tmp_path / "recipes")
    monkeypatch.setattr(
        prepare, "check_sources", lambda config: None
    )  # its bundles are no real ones
    return Launcher()


@pytest.fixture(autouse=True)
def adopted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The bundles that became a recipe's; the launcher's are none that can be read."""
    found: list[Path] = []
    if "launch" in request.fixturenames:
        monkeypatch.setattr(recipe, "adopt_bundle", lambda made, *rest: found.append(made))
    return found


@pytest.fixture
def run_steps(
    composed: Composed, launch: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    def composed_step(of_step: Sequence[str]) -> RunConfig:
        return check_config(composed("data=sample", "data.split_seed=3", *of_step))

    set_composed(monkeypatch, composed_step)

    def run_steps(
        folder: str,
        *overrides: str,
        steps: dict[str, Any] = STEPS,
        merge: list[str] | None = None,
    ) -> dict[str, Any]:
        values = composed("data=sample", *overrides)
        config = check_config({**values, "recipe": {"steps": steps, "merge": merge}})
        return run_recipe(config, tmp_path / folder, "command", overrides, launch)

    return run_steps


def test_the_steps_run_in_order_and_the_last_ones_bundle_is_the_result(
    run_steps: Steps, launch: Launcher, tmp_path: Path, adopted: list[Path]
) -> None:
    record = run_steps("run", "experiment=blog")
    assert launch.names == ["first", "second"]
    (first, _), (second, overrides) = launch.asked
    assert overrides == [f"init_from={first}"]
    assert adopted == [second / "bundle"]
    assert record["metrics"] == {"val/accuracy": 0.5}
    assert record["final_step_config"] == {"overrides": overrides}
    assert record["seconds"] == 4
    assert read_record(tmp_path / "run") == json.loads(json.dumps(record))


def test_what_is_done_is_skipped_and_what_failed_is_run_again(
    run_steps: Steps, launch: Launcher, tmp_path: Path
) -> None:
    launch.broken = "second"
    with pytest.raises(ValueError, match="broken"):
        run_steps("run")
    assert (read_record(tmp_path / "run") or {})["status"] == "failed"
    launch.broken = ""
    run_steps("again")
    run_steps("once more")
    assert launch.names == ["first", "second", "second"]


def test_another_seed_makes_other_steps_but_not_where_a_step_has_its_own(
    run_steps: Steps, launch: Launcher
) -> None:
    run_steps("a", "seed=7")
    run_steps("b", "seed=8")
    assert launch.names == ["first", "second", "second"]
    seeds = [[one for one in asked if one.startswith("seed")] for _, asked in launch.asked]
    assert seeds == [["seed=1"], ["seed=7"], ["seed=8"]]


def test_what_changes_no_result_runs_nothing_again(run_steps: Steps, launch: Launcher) -> None:
    run_steps("a")
    run_steps("b", "trainer.threads=1", "logger=none")
    assert launch.names == ["first", "second"]


def test_a_step_that_is_changed_is_run_again_with_all_that_build_on_it(
    run_steps: Steps, launch: Launcher
) -> None:
    run_steps("a")
    run_steps("b", steps={**STEPS, "first": {**FIRST, "model": {"lr": 0.5}}})
    assert launch.names == ["first", "second", "first", "second"]


def test_a_real_recipe_of_all_kinds_of_steps_ends_with_a_bundle(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    (tmp_path / "unlabeled.txt").write_text("id\tdocument\nu1\t정말 재밌다\nu2\t별로\n", "utf-8")
    command = [
        *(sys.executable, str(PROJECT / "train.py"), "experiment=bytes"),
        *(f"data.root={tmp_path}", f"data.cache_dir={tmp_path}/cache", "data.vocab_size=300"),
        *("data.validation_fraction=0.25", "trainer.max_epochs=1", "trainer.accelerator=cpu"),
        *("trainer.limit_train_batches=2", f"hydra.run.dir={tmp_path}/run"),
    ]
    first = run(command, cwd=tmp_path)
    assert "step 1 of 7" in first.stderr
    record = read_record(tmp_path / "run")
    assert record is not None and record["status"] == "finished"
    assert set(record["recipe"]) == {
        "encoder",
        "teacher-gru",
        "teacher-ngrams",
        "small-encoder",
        "pupil",
        "student",
        "self-taught",
    }
    again = run(command, cwd=tmp_path)
    assert again.stderr.count("done before") == 7
    config = json.loads((tmp_path / "run" / "bundle" / "config.json").read_text())
    assert config["signature"] == record["signature"]
    assert (tmp_path / "run" / "hardest_reviews.json").is_file()
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert "train.py experiment=bytes" in card
    answer = run_anew(
        [sys.executable, "-m", "nsmc.cli", "predict", f"{tmp_path}/run/bundle", "좋다"]
    )
    assert "tive" in answer.stdout


def test_a_recipe_that_ends_with_a_linear_classifier_is_a_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, composed: Composed
) -> None:
    monkeypatch.setattr(recipe, "RESULTS", tmp_path / "recipes")
    step = {
        "defaults": {"experiment": "linear"},
        "data": {"unlabelled": False, "split_seed": 3},
    }
    config = check_config({**composed("data=sample"), "recipe": {"steps": {"ngrams": step}}})

    def composed_step(overrides: Sequence[str]) -> RunConfig:
        return check_config(composed("data=sample", *overrides))

    def launch(folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
        return run_job(composed_step(overrides), folder, "command", overrides)

    set_composed(monkeypatch, composed_step)
    record = run_recipe(config, tmp_path / "run", "command", [], launch)
    (folder,) = (tmp_path / "recipes").iterdir()
    labels = (tmp_path / "run" / "soft_labels.tsv").read_bytes()
    assert labels == (folder / "soft_labels.tsv").read_bytes()
    kept = read_answers(tmp_path / "run", "val")
    assert kept is not None  # and none of the test part: a teacher is not tested
    accuracy = record["metrics"]["val/accuracy"]
    assert kept.is_right.mean() == pytest.approx(accuracy, abs=1e-6)
    student = f"distill.teachers=[{tmp_path}/run]"
    taught = check_config(composed("data=sample", "experiment=distill", student))
    with pytest.raises(ValueError, match=r"set data\.split_seed=3"):
        check_held_out(taught, record["corpus_fingerprint"])


def steps_of(composed: Composed, experiment: str) -> dict[str, Any]:
    recipe = check_config(composed(f"experiment={experiment}")).recipe
    assert recipe
    return recipe.values()


def test_students_of_the_best_recipe_learn_what_the_same_teachers_say(composed: Composed) -> None:
    steps = steps_of(composed, "best")
    teachers = [name for name in steps if name.startswith("teacher-")]
    assert len(teachers) == 3
    for name in ("pupil", "student"):
        assert sorted(steps[name]["distill.teachers"]) == sorted(teachers)
    started = [steps[name]["init_from"] for name in ("pupil", "student", "self-taught")]
    assert started == ["small-encoder", "pupil", "student"]
    assert steps["self-taught"]["distill.teachers"] == ["student"]
    assert [*steps][-1] == "self-taught"


def test_a_recipe_that_builds_on_another_drops_and_changes_its_steps(composed: Composed) -> None:
    best, of_bytes = (steps_of(composed, name) for name in ("best", "bytes"))
    own = "teacher-ngrams"
    assert of_bytes.keys() - best.keys() == {own}
    assert not any("morpheme" in name for name in of_bytes)
    assert all(values.get("tokenizer") is None for values in of_bytes.values())
    for name in ("encoder", "teacher-gru", "small-encoder", "self-taught"):
        assert of_bytes[name] == best[name]  # and so it is trained once for both
    for name in ("pupil", "student"):
        taught = {"distill.teachers": ["teacher-gru", own]}
        assert of_bytes[name] == {**best[name], **taught} != best[name]


def test_the_pair_is_the_best_recipe_twice_with_another_seed(composed: Composed) -> None:
    steps = steps_of(composed, "pair")
    best = steps_of(composed, "best")
    assert {name: steps[name] for name in best if name != "self-taught"} == {
        name: values for name, values in best.items() if name != "self-taught"
    }
    assert steps["self-taught"] == {**best["self-taught"], "test": False}
    again = {"pupil-again": "pupil", "student-again": "student"}
    for name in ("pupil", "student", "self-taught"):
        twin: dict[str, Any] = steps[f"{name}-again"]
        teachers = [again.get(teacher, teacher) for teacher in twin["distill.teachers"]]
        began = again.get(twin["init_from"], twin["init_from"])
        twin = {**twin, "distill.teachers": teachers, "init_from": began}
        assert twin == {**steps[name], "seed": 2}


TWINS: dict[str, Any] = {
    "first": {"model": {"hidden_size": 8}, "test": False},
    "second": {"model": {"hidden_size": 12}, "seed": 1, "test": False},
}


@pytest.fixture
def merge_twins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, composed: Composed
) -> Callable[..., dict[str, Any]]:
    """Trains two small classifiers, and merges them."""
    monkeypatch.setattr(recipe, "RESULTS", tmp_path / "recipes")
    quick = [
        *("data=sample", f"data.cache_dir={tmp_path}/cache", "data.split_seed=3"),
        *("data.vocab_size=400", "trainer.max_epochs=1", "trainer.accelerator=cpu"),
        *("model.embedding_dim=8", "logger=none"),
    ]

    def composed_step(overrides: Sequence[str]) -> RunConfig:
        return check_config(composed(*quick, *overrides))

    def launch(folder: Path, overrides: Sequence[str]) -> dict[str, Any]:
        return run_job(composed_step(overrides), folder, "command", overrides)

    def merge_twins(*typed: str) -> dict[str, Any]:
        merges = {"recipe": {"steps": TWINS, "merge": ["first", "second"]}}
        config = check_config({**composed(*quick, *typed), **merges})
        return run_recipe(config, tmp_path / "run", "train.py experiment=mine", typed, launch)

    set_composed(monkeypatch, composed_step)
    return merge_twins


def test_a_recipe_that_merges_ends_with_a_measured_bundle(
    merge_twins: Steps, tmp_path: Path, composed: Composed
) -> None:
    record = merge_twins("seed=7")
    bundle = read_bundle(tmp_path / "run" / "bundle").config
    assert bundle.encoder.describe() == "GRU 20, 1 layer(s), one direction"
    assert (bundle.signature, bundle.command) == (record["signature"], "train.py experiment=mine")
    assert bundle.metrics == record["metrics"]
    assert bundle.confidence is not None and bundle.confidence["texts"]["reviews"] == 192
    card = (tmp_path / "run" / "bundle" / "README.md").read_text("utf-8")
    assert "It is 2 networks side by side" in card and "fitted on 192 validation reviews" in card
    predictor = Predictor.load(tmp_path / "run" / "bundle")
    vectors = json.loads((tmp_path / "run" / "bundle" / VECTORS_FILE).read_text("utf-8"))["vectors"]
    of_text = predictor.probabilities([vector["text"] for vector in vectors])
    np.testing.assert_allclose(of_text, [it["probabilities"] for it in vectors], atol=1e-5)
    for part in ("val", "test"):
        kept = read_answers(tmp_path / "run", part)
        assert kept is not None
        accuracy = record["metrics"][f"{part}/accuracy"]
        assert kept.is_right.mean() == pytest.approx(accuracy, abs=1e-6)
    assert (tmp_path / "run" / "hardest_reviews.json").is_file()
    student = check_config(
        composed("data=sample", "experiment=distill", f"distill.teachers=[{tmp_path}/run]")
    )
    with pytest.raises(ValueError, match=r"set data\.split_seed=3"):
        check_held_out(student, record["corpus_fingerprint"])


def test_the_record_of_a_merge_is_of_the_first_step_with_what_all_of_them_took(
    merge_twins: Steps, tmp_path: Path
) -> None:
    record = merge_twins("seed=7")
    steps = [read_record(Path(step["folder"])) or {} for step in record["recipe"].values()]
    final = record["final_step_config"]
    assert (final["seed"], final["test"], final["model"]["hidden_size"]) == (7, True, 20)
    assert record["parameters"] == 400 * 16 + 3 * 20 * (16 + 20 + 2) + 2 * (20 + 1)
    assert record["train_seconds"] == pytest.approx(sum(it["train_seconds"] for it in steps))
    assert record["seconds"] > sum(it["seconds"] for it in steps)
    rates = [step["reviews_per_second"] for step in steps]
    assert min(rates) <= record["reviews_per_second"] <= max(rates)
    assert not {"history", "epochs", "steps"} & record.keys()


def test_a_merge_without_a_test_part_measures_none(merge_twins: Steps, tmp_path: Path) -> None:
    record = merge_twins("seed=7", "test=false")
    assert record["metrics"] and not any(name.startswith("test/") for name in record["metrics"])
    assert read_answers(tmp_path / "run", "test") is None


def test_a_merge_that_is_interrupted_leaves_the_earlier_bundle_and_no_figures_of_a_step(
    merge_twins: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    before = merge_twins("seed=7")
    files = {path: path.read_bytes() for path in (tmp_path / "run" / "bundle").iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(merged, "measured", interrupted)
        with pytest.raises(KeyboardInterrupt):
            merge_twins("seed=7")
    assert {path: path.read_bytes() for path in (tmp_path / "run" / "bundle").iterdir()} == files
    left = read_record(tmp_path / "run") or {}
    assert left["status"] == "interrupted"
    assert not {"metrics", "parameters"} & left.keys()
    again = merge_twins("seed=7")
    assert (again["status"], again["metrics"]) == ("finished", before["metrics"])


def test_a_merge_goes_on_where_the_corpus_is_now(merge_twins: Steps, tmp_path: Path) -> None:
    """Its steps are known by their content, and may have read it elsewhere."""
    first, second = tmp_path / "a", tmp_path / "b"
    shutil.copytree(PROJECT / "nsmc" / "data" / "sample", first)
    before = merge_twins("seed=7", f"data.root={first}")
    first.rename(second)
    again = merge_twins("seed=7", f"data.root={second}")
    assert again["metrics"] == before["metrics"]
    assert again["final_step_config"]["data"]["root"] == str(second)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({}, "first and second are the same, seed=1 and all; give the recipe another seed"),
        ({"defaults": {"model": "lstm"}}, "second differs from first in model.architecture; only"),
        ({"model": {"num_layers": 2}}, "second differs from first in model.num_layers"),
        ({"model": {"pooling": "mean"}}, "second differs from first in model.pooling"),
        ({"data": {"max_length": 9}}, "second differs from first in data.max_length"),
        ({"data": {"split_seed": 4}}, "second differs from first in data.split_seed"),
        ({"data": {"test_file": None}}, "second differs from first in data.test_file"),
        ({"data": {"morphemes": True}}, "second differs from first in data.morphemes"),
        ({"data": {"normalization": "nfd"}}, r"second differs from first in its tokens \(let both"),
        ({"data": {"vocab_size": 300}}, "second differs from first in its tokens"),
        ({"model": {"bidirectional": True}}, "second differs from first in model.bidirectional"),
        (
            {"data": {"labels": ["positive", "negative"]}},
            "second differs from first in numbers of the labels, data.labels",
        ),
        ({"seed": 1, "test": False, "notes": "x"}, "first and second are the same, seed=1"),
        ({"defaults": {"experiment": "pretrain"}}, "second has task=pretrain; only bundles merge"),
        ({"defaults": {"experiment": "linear"}}, "second has task=linear; only bundles merge"),
        ({"model": {"pooling": "attention"}}, "second has attention, which cannot be merged"),
    ],
)
def test_what_cannot_be_merged_is_said_before_the_first_step(
    run_steps: Steps, launch: Launcher, second: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"recipe: merge: {message}"):
        run_steps("run", "seed=1", steps={"first": {}, "second": second}, merge=["first", "second"])
    assert not launch.asked


ENCODER: dict[str, Any] = {**FIRST, "data": {"unlabelled": False}}


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ({"x": {"seed": 1}, "y": {"seed": 2}}, ""),
        ({"x": {"init_from": "./it"}, "y": {"init_from": "./copy", "seed": 2}}, ""),
        ({"x": {"data": {"tokenizer": "./it"}}, "y": {"data": {"tokenizer": "./copy"}}}, "same"),
        ({"x": {"init_from": "./it"}, "y": {"data": {"tokenizer": "./other"}}}, "its tokens"),
        ({"e": ENCODER, "x": {"init_from": "e"}, "y": {"init_from": "e", "seed": 9}}, ""),
        ({"e": ENCODER, "x": {"init_from": "e"}, "y": {"init_from": "e"}}, "are the same"),
        (
            {
                "e": ENCODER,
                "f": {**ENCODER, "seed": 2},
                "x": {"init_from": "e"},
                "y": {"init_from": "f"},
            },
            "",
        ),
        (
            {
                "e": ENCODER,
                "f": {**ENCODER, "data": {"unlabelled": False, "min_frequency": 3}},
                "x": {"init_from": "e"},
                "y": {"init_from": "f"},
            },
            "y differs from x in its tokens",
        ),
        (
            {
                "e": ENCODER,
                "x": {"init_from": "e", "distill": {"teachers": ["t"]}},
                "y": {"init_from": "e", "distill": {"teachers": ["u"]}},
                "t": {"defaults": {"experiment": "linear"}, "data": {"unlabelled": False}},
                "u": {
                    "defaults": {"experiment": "linear"},
                    "data": {"unlabelled": False, "train_file": "other.tsv"},
                },
            },
            "",
        ),
    ],
)
def test_what_may_be_merged_is_known_by_what_decides_it(
    composed: Composed,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    steps: dict[str, Any],
    problem: str,
) -> None:
    random_bundle(tmp_path / "it", embedding_dim=128, hidden_size=128)
    shutil.copytree(tmp_path / "it", tmp_path / "copy")
    shutil.copytree(PRETRAINED, tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    set_composed(
        monkeypatch,
        lambda words: check_config(composed("data=sample", "data.split_seed=3", *words)),
    )
    merge = [name for name in steps if name in ("x", "y")]
    values = {**composed("data=sample"), "recipe": {"steps": steps, "merge": merge}}
    config = check_config(values)
    assert config.recipe
    if not problem:
        check_steps(config.recipe, {})
        return
    with pytest.raises(ValueError, match=problem):
        check_steps(config.recipe, {})


@pytest.mark.parametrize("experiment", ["best", "bytes"])
def test_how_the_epoch_is_chosen_is_free_where_there_is_a_choice(
    composed: Composed, monkeypatch: pytest.MonkeyPatch, experiment: str
) -> None:
    config = check_config(composed(f"experiment={experiment}"))
    assert config.recipe
    typed = typed_for_steps(["callbacks.checkpoint.monitor=val/accuracy"])
    monitors = {}

    def composed_step(overrides: Sequence[str]) -> RunConfig:
        step = check_config(composed(*overrides))
        monitors[step.task, step.data.batch_size] = step.callbacks.checkpoint.monitor
        return step

    set_composed(monkeypatch, composed_step)
    check_steps(config.recipe, typed)
    assert monitors["pretrain", 256] == "val/loss"
    assert monitors["classify", 512] == "val/accuracy"


@pytest.mark.parametrize(
    ("package", "step", "what"),
    [
        ("kiwipiepy", "morpheme-encoder", 'reading morphemes needs the extra "morphemes"'),
        ("sklearn", "teacher-morpheme-ngrams", 'task=linear needs the extra "linear"'),
    ],
)
def test_an_extra_that_is_missing_is_said_before_the_first_step(
    composed: Composed, monkeypatch: pytest.MonkeyPatch, package: str, step: str, what: str
) -> None:
    config = check_config(composed("experiment=best"))
    assert config.recipe
    if package == "sklearn":
        pytest.importorskip("kiwipiepy")
    monkeypatch.setitem(sys.modules, package, None)
    set_composed(monkeypatch, lambda words: check_config(composed(*words)))
    with pytest.raises(ValueError, match=f"recipe, step {step}: {what}"):
        check_steps(config.recipe, {})


def test_a_student_is_chosen_by_its_cross_entropy(composed: Composed) -> None:
    assert composed("experiment=distill")["callbacks"]["checkpoint"]["monitor"] == "val/loss"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"init_from": "encoder"}, r"init_from=encoder: no such step \(there are first"),
        ({"data": {"tokenizer": "encoder"}}, r"no such step .*; a path is written \./encoder"),
        ({"distill": {"teachers": ["./x", "y.tsv"]}}, r"a path is written \./y\.tsv"),
        ({"model": {"lr": -1}}, "model.lr=-1"),
        ({"model": {"hiden_size": 9}}, "hiden_size: no such key; did you mean model.hidden_size"),
        ({"model": "lstm"}, "a choice is written defaults: {model: NAME}"),
        ({"defaults": {"model": "transformer"}}, "model=transformer: no such choice"),
        ({"defaults": {"model": "../lstm"}}, "must be the name of a file in configs/model"),
        ({"defaults": {"hydra/launcher": "joblib"}}, "hydra/launcher: no such group"),
        ({"defaults": ["model"]}, "defaults: must be choices from groups"),
        ({"hydra": {"searchpath": ["x"]}}, r"hydra\.searchpath: no such key"),
        ({"+seed": 7}, r"\+seed: no such key"),
        ({"resume": "auto"}, "resume: is of a command and not of a step"),
        ({"data": {"root": "${oc.env:HOME}"}}, "data.root: must be a plain value"),
        (
            {"model": {"hidden_size": 9}},
            "init_from=first: that bundle needs model.hidden_size=128",
        ),
        (
            {"data": {"split_seed": 4}},
            "init_from=first: may have learnt from .*; set data.split_seed=3, as it did",
        ),
        (
            {
                "init_from": None,
                "distill": {"teachers": ["first"]},
                "data": {"validation_fraction": 0.2},
            },
            "distill.teachers=first: a language model, which classifies nothing",
        ),
        (
            {"init_from": "./nowhere", "data": {"tokenizer": "first"}},
            "init_from: nowhere: no such folder",
        ),
        ({"defaults": {"experiment": "best"}}, "is a recipe itself"),
    ],
)
def test_a_step_that_could_not_run_is_named_before_the_first_one_runs(
    run_steps: Steps, launch: Launcher, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"recipe, step second: .*{message}"):
        run_steps("run", steps={"second": {**SECOND, **changed}, "first": FIRST})
    assert not launch.asked


def test_paths_of_steps_stay_what_they_are_whatever_is_in_them(
    run_steps: Steps, launch: Launcher, tmp_path: Path
) -> None:
    labels = tmp_path / "가, 나 (1)=[x].tsv"
    labels.write_text("id\tprobability\n")
    run_steps("run", steps={**STEPS, "second": {**SECOND, "distill": {"teachers": [str(labels)]}}})
    first, (_, overrides) = launch.asked
    with configurations_in(PROJECT / "configs"):
        config = composition.composed(overrides)
    assert (config.init_from, config.distill.teachers) == (str(first[0]), [str(labels)])


def test_steps_run_after_those_that_they_build_on_wherever_they_are_written(
    run_steps: Steps, launch: Launcher
) -> None:
    run_steps("run", steps={"second": SECOND, "first": FIRST})
    assert launch.names == ["first", "second"]


def test_a_step_whose_result_was_removed_is_run_again(run_steps: Steps, launch: Launcher) -> None:
    run_steps("a")
    shutil.rmtree(launch.asked[0][0] / "bundle")
    run_steps("b")
    assert launch.names == ["first", "second", "first"]
    assert launch.found[:2] == [{}, {}]
    assert launch.found[2]["status"] == "interrupted"  # so that it goes on from its checkpoint
    assert launch.found[2]["config"]


@pytest.mark.parametrize("left", ["soft_labels.tsv", "bundle/config.json", "checkpoints/last.ckpt"])
@pytest.mark.parametrize("other", ["seed=8", "callbacks.checkpoint.monitor=val/loss"])
def test_a_folder_with_what_another_recipe_left_is_left_alone(
    run_steps: Steps, tmp_path: Path, left: str, other: str
) -> None:
    run_steps("a", "seed=7")
    (tmp_path / "a" / left).parent.mkdir(exist_ok=True)
    (tmp_path / "a" / left).write_text("")
    run_steps("a", "trainer.threads=1", "seed=7")
    with pytest.raises(ValueError, match="a holds another run: choose another folder"):
        run_steps("a", other)
    assert (read_record(tmp_path / "a") or {})["overrides"] == ["trainer.threads=1", "seed=7"]


def test_a_resumed_recipe_goes_on_with_what_was_typed_then(
    run_steps: Steps, launch: Launcher, tmp_path: Path
) -> None:
    launch.broken = "second"
    with pytest.raises(ValueError, match="broken"):
        run_steps("a", "seed=7")
    launch.broken = ""
    record = run_steps("a", f"resume={tmp_path}/a", "seed=7")
    assert record["overrides"] == ["seed=7"]
    assert launch.names == ["first", "second", "second"]


def test_an_adopted_bundle_s_card_still_names_its_teachers(tmp_path: Path) -> None:
    teachers = {"count": 2, "with_morphemes": 0, "morphemes": {}, "unknown": 0}
    made = random_bundle(tmp_path / "made", teachers=teachers)
    recipe.adopt_bundle(made, tmp_path / "bundle", Origin("nsmc", "recipe", "a" * 16))
    assert read_bundle(tmp_path / "bundle").config.teachers == teachers
    assert "the soft labels of 2 teachers" in (tmp_path / "bundle" / "README.md").read_text("utf-8")


def test_a_bundle_that_cannot_be_adopted_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe.adopt_bundle(PRETRAINED, tmp_path / "bundle", Origin("nsmc", "first", "a" * 16))
    assert read_bundle(tmp_path / "bundle").config.signature == "a" * 16

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recipe, "rewrite_config", full)
    with pytest.raises(OSError, match="No space"):
        recipe.adopt_bundle(PRETRAINED, tmp_path / "bundle", Origin("nsmc", "second", "b" * 16))
    assert read_bundle(tmp_path / "bundle").config.signature == "a" * 16
    monkeypatch.undo()
    recipe.adopt_bundle(PRETRAINED, tmp_path / "bundle", Origin("nsmc", "second", "b" * 16))
    assert read_bundle(tmp_path / "bundle").config.signature == "b" * 16
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_while_a_recipe_runs_again_what_it_held_out_is_known(
    run_steps: Steps, launch: Launcher, tmp_path: Path
) -> None:
    finished = run_steps("a")
    shutil.rmtree(launch.asked[0][0] / "bundle")
    launch.broken = "first"
    with pytest.raises(ValueError, match="broken"):
        run_steps("a")
    failed = read_record(tmp_path / "a") or {}
    assert failed["status"] == "failed"
    assert final_step_config(failed) == finished["final_step_config"]
    assert failed["corpus_fingerprint"] == finished["corpus_fingerprint"]


def test_a_step_that_another_process_runs_is_waited_for(
    run_steps: Steps, launch: Launcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_steps("a")
    place, _ = launch.asked[0]
    record = read_record(place) or {}
    write_record(place, {**record, "status": "running"})
    other = FileLock(place / ".lock")
    other.acquire()

    def sleep(seconds: float) -> None:  # while this process sleeps, the other one finishes
        write_record(place, record)
        other.release()

    monkeypatch.setattr(time, "sleep", sleep)
    run_steps("b")
    assert launch.names == ["first", "second"]


def test_a_step_that_another_process_was_quicker_to_begin_is_waited_for(
    run_steps: Steps,
    launch: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    launch.busy = "first"
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with caplog.at_level("INFO"):
        run_steps("a")
    assert launch.names == ["first", "first", "second"]
    assert caplog.text.count("another process runs it; waiting for it") == 1


def test_all_of_a_recipe_is_debugged_on_a_few_batches(tmp_path: Path) -> None:
    with configurations_in(composition.CONFIGS):
        best = check_config(composition.composed_values(["experiment=best", "debug=limit"]))
        assert best.recipe
        typed = typed_for_steps(["experiment=best", "debug=limit", "trainer.limit_val_batches=1"])
        check_steps(best.recipe, typed)
        steps = {
            name: composition.composed(step_overrides(values, typed))
            for name, values in best.recipe.values().items()
        }
    assert all(step.debugging for step in steps.values())
    student = steps["student"].trainer
    assert (student.max_epochs, student.limit_train_batches) == (2, 10)
    assert student.limit_val_batches == 1


def test_a_recipe_whose_steps_keep_nothing_is_refused(composed: Composed) -> None:
    with pytest.raises(
        ValueError, match=r"fast_dev_run keeps nothing, and a recipe's steps .*debu"
    ):
        check_config(composed("experiment=best", "trainer.fast_dev_run=true"))
    with pytest.raises(ValueError, match="fast_dev_run: a linear classifier has no batches to try"):
        check_config(composed("experiment=linear", "trainer.fast_dev_run=true"))
