"""Which bundle answers: the named one, a run's, the newest, or the package's own."""

import json
import os
import shutil
from pathlib import Path

import pytest

from nsmc.runtime import locate, predictor
from nsmc.runtime.locate import bundle_folder, chosen_bundle, newest_bundle
from nsmc.runtime.predictor import Predictor
from tests.bundles import random_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_bundle(tmp_path_factory.mktemp("located") / "bundle")


@pytest.fixture(autouse=True)
def _no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "PRETRAINED", tmp_path / "no package")
    monkeypatch.setattr(predictor, "PRETRAINED", tmp_path / "no package")
    monkeypatch.chdir(tmp_path)


def put(bundle: Path, place: Path, age: float) -> Path:
    shutil.copytree(bundle, place)
    stamp = 1e9 - age
    os.utime(place / "config.json", (stamp, stamp))
    return place


def test_a_bundle_is_found_by_its_folder_and_by_its_run_s(bundle: Path, tmp_path: Path) -> None:
    assert bundle_folder(bundle) == bundle
    assert bundle_folder(bundle.parent) == bundle
    inner = put(bundle, tmp_path / "outer" / "bundle", 0)
    put(bundle, tmp_path / "outer" / "bundle" / "bundle", 0)
    assert bundle_folder(inner) == inner  # not the one inside


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere", "no such folder; a bundle is a folder"),
        ("file", "a file; a bundle is a folder"),
        ("empty", "not a bundle, config.json is missing"),
    ],
)
def test_what_is_no_bundle_is_said_with_its_path(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=f"{name}: {problem}"):
        bundle_folder(tmp_path / name)


def test_the_newest_is_that_whose_configuration_was_written_last(
    bundle: Path, tmp_path: Path
) -> None:
    for name, age in (("a", 30), ("b/c/d", 10), ("e", 20)):
        put(bundle, tmp_path / "outputs" / name / "bundle", age)
    assert newest_bundle(Path("outputs")) == Path("outputs/b/c/d/bundle")


def test_folders_that_are_hidden_or_not_called_bundle_are_left_aside(
    bundle: Path, tmp_path: Path
) -> None:
    put(bundle, tmp_path / "outputs" / "run" / "bundle", 10)
    put(bundle, tmp_path / "outputs" / "run" / "bundle-float16", 5)
    put(bundle, tmp_path / "outputs" / "run" / ".bundle-x" / "bundle", 0)
    assert newest_bundle(Path("outputs")) == Path("outputs/run/bundle")


def test_hidden_folders_above_outputs_do_not_matter(bundle: Path, tmp_path: Path) -> None:
    place = put(bundle, tmp_path / ".hidden" / "outputs" / "run" / "bundle", 0)
    assert newest_bundle(tmp_path / ".hidden" / "outputs") == place


def test_the_package_s_bundle_answers_only_where_nothing_was_trained_here(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "PRETRAINED", bundle)
    assert chosen_bundle(Path("outputs")) == (bundle, "")
    (tmp_path / "outputs").mkdir()
    assert chosen_bundle(Path("outputs")) == (bundle, "")
    place = put(bundle, tmp_path / "outputs" / "run" / "bundle", 1e8)
    assert chosen_bundle(tmp_path / "outputs") == (place, "")


def test_a_pretrained_encoder_alone_leaves_the_package_s_bundle_to_answer(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_bundle(tmp_path / "outputs" / "run" / "bundle", labels=())
    monkeypatch.setattr(locate, "PRETRAINED", bundle)
    assert chosen_bundle(Path("outputs")) == (bundle, "")


def test_without_any_bundle_it_is_said_where_one_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train one") as caught:
        chosen_bundle(Path("outputs"))
    assert str(tmp_path / "outputs") in str(caught.value)


def test_a_damaged_newest_bundle_is_chosen_to_be_refused_rather_than_skipped(
    bundle: Path, tmp_path: Path
) -> None:
    put(bundle, tmp_path / "outputs" / "old" / "bundle", 10)
    place = put(bundle, tmp_path / "outputs" / "new" / "bundle", 0)
    for content in ("", "[]", "{", '{"labels": ["a", "b"]}'):
        (place / "config.json").write_text(content)
        assert newest_bundle(tmp_path / "outputs") == place


def test_a_run_that_has_not_finished_is_left_aside(bundle: Path, tmp_path: Path) -> None:
    put(bundle, tmp_path / "outputs" / "old" / "bundle", 10)
    place = put(bundle, tmp_path / "outputs" / "new" / "bundle", 0)
    for status in ("running", "interrupted", "failed"):
        (place.parent / "run.json").write_text(json.dumps({"status": status}))
        assert newest_bundle(Path("outputs")) == Path("outputs/old/bundle")
    for content in ('{"status": "finished"}', "{}", "[]", "damaged"):
        (place.parent / "run.json").write_text(content)
        assert newest_bundle(Path("outputs")) == Path("outputs/new/bundle")


def test_of_a_sweep_the_best_is_taken_unless_something_newer_was_trained(
    bundle: Path, tmp_path: Path
) -> None:
    sweep = tmp_path / "outputs" / "sweeps" / "x"
    for name, age in (("a", 30), ("b", 20), ("c", 10)):
        put(bundle, sweep / name / "bundle", age)
    assert chosen_bundle(Path("outputs")) == (Path("outputs/sweeps/x/c/bundle"), "")
    (sweep / "best.json").write_text('{"run": "b", "why": "best of 3 settings by val/accuracy"}')
    best = (Path("outputs/sweeps/x/b/bundle"), "best of 3 settings by val/accuracy")
    assert chosen_bundle(Path("outputs")) == best
    put(bundle, tmp_path / "outputs" / "runs" / "d" / "bundle", 5)
    assert chosen_bundle(Path("outputs")) == (Path("outputs/runs/d/bundle"), "")


def test_a_sweep_that_has_not_ended_is_said_to_be_so(bundle: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "outputs" / "sweeps" / "x"
    for name, age in (("a", 30), ("b", 20)):
        put(bundle, sweep / name / "bundle", age)
    (sweep / "multirun.yaml").touch()
    chosen, why = chosen_bundle(Path("outputs"))
    assert chosen == Path("outputs/sweeps/x/b/bundle")
    assert why.startswith("the newest of x, a sweep that has not ended")
    best = sweep / "best.json"
    best.write_text('{"run": "a", "why": "best of 2 settings by val/accuracy"}')
    assert chosen_bundle(Path("outputs"))[1] == "best of 2 settings by val/accuracy"
    os.utime(best, (1e9 - 25, 1e9 - 25))  # of before b
    chosen, why = chosen_bundle(Path("outputs"))
    assert chosen == Path("outputs/sweeps/x/a/bundle")
    assert why.startswith("best of 2 settings by val/accuracy, a sweep that has not ended")


@pytest.mark.parametrize(
    "content",
    [*("", "[]", "{}", '{"run": ["a"]}', '{"run": "gone"}', '{"run": "empty"}'), '{"run": ".."}'],
)
def test_a_best_run_that_is_not_there_is_not_taken(
    bundle: Path, tmp_path: Path, content: str
) -> None:
    sweep = tmp_path / "outputs" / "sweeps" / "x"
    newest = put(bundle, sweep / "a" / "bundle", 0)
    put(bundle, sweep.parent / "bundle", 9)  # where ".." would lead to
    (sweep / "empty").mkdir()
    (sweep / "best.json").write_text(content)
    assert chosen_bundle(tmp_path / "outputs") == (newest, "")


@pytest.mark.parametrize("kind", ["pipe", "device", "giant", "deep", "link to nothing"])
def test_what_is_no_configuration_neither_hangs_nor_fills_the_memory(
    bundle: Path, tmp_path: Path, kind: str
) -> None:
    put(bundle, tmp_path / "outputs" / "old" / "bundle", 10)
    config = put(bundle, tmp_path / "outputs" / "new" / "bundle", 0) / "config.json"
    if kind == "giant":
        os.truncate(config, 1 << 40)
    elif kind == "deep":
        config.write_text("[" * 100_000)
    else:
        config.unlink()
        target = "/dev/zero" if kind == "device" else "nowhere"
        os.mkfifo(config) if kind == "pipe" else config.symlink_to(target)
    chosen = newest_bundle(tmp_path / "outputs")
    if chosen == config.parent:  # to be refused, not skipped
        with pytest.raises((ValueError, FileNotFoundError), match=r"config\.json"):
            Predictor.load(chosen)


def test_pretrained_means_the_package_s_bundle_unless_there_is_such_a_folder(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "PRETRAINED", bundle)
    assert bundle_folder(Path("pretrained")) == bundle
    put(bundle, tmp_path / "pretrained", 0)
    assert bundle_folder(Path("pretrained")) == Path("pretrained")


def test_the_library_loads_the_package_s_bundle_by_default(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError):
        Predictor.load()
    monkeypatch.setattr(predictor, "PRETRAINED", bundle)
    assert Predictor.load()(["최고"]) == Predictor.load(str(bundle))(["최고"])
