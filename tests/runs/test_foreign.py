"""Of a folder that anybody may have made nothing is executed, fetched, or written elsewhere."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.overrides import as_overrides
from nsmc.config.schema import check_config
from nsmc.config.steps import RecipeConfig
from nsmc.runs.foreign import (
    check_own_files,
    check_recorded_steps,
    harmless_overrides,
    recorded_files,
    recorded_overrides,
    with_own_files,
)

Composed = Callable[..., dict[str, Any]]
SPAWN = "{_target_: setuptools._distutils.spawn.spawn, cmd: [touch, owned]}"


def test_choices_of_groups_and_plain_values_of_known_keys_are_taken() -> None:
    own = ["experiment=best", "data=nsmc", "ablation=null", "seed=7", "data.root='/가, 나'"]
    own += ["data.labels=[a,b]", "callbacks.checkpoint.every_n_minutes=null", "logger=none"]
    own += ["model.lr=0.01", "data.name='1'", "data.tokenizer=null"]
    about_the_command = ["hydra.run.dir=x", "hydra/launcher=joblib", "resume=y", "sweep.name=z"]
    about_the_command += [f"recipe=[{SPAWN}]", "recipe.steps.student.seed=2"]
    record = {"overrides": [*own, *about_the_command]}
    assert recorded_overrides(record) == harmless_overrides(record) == own
    assert recorded_overrides({}) == []


@pytest.mark.parametrize(
    "override",
    [
        f"+hydra.callbacks.x={SPAWN}",
        f"++hydra.job_logging.x={SPAWN}",
        f"data={SPAWN}",
        "+seed=7",
        "++seed=7",
        "~data",
        "seed=1,2",
        "experiment=../../evil",
        "experiment=/tmp/evil",
        "experiment@hydra=best",
        "model.unknown=1",
        "unknown=best",
        "data.remote_files={x:{url:a,sha256:b}}",
        "data.remote_files.x.url=http://example.org",
        "data.unlabelled_archive=http://example.org",
        "data.root=${oc.env:HOME}",
        "data.root='${oc.env:HOME}'",
        r"data.root=$\{oc.env:HOME\}",
        "=",
        "(" * 3000,
        "seed=" + "1" * 20_000,
    ],
)
def test_nothing_else_is_taken(override: str) -> None:
    record = {"overrides": ["seed=7", override]}
    with pytest.raises(ValueError, match=r"not taken over from a run\.json; type the command anew"):
        recorded_overrides(record)
    assert harmless_overrides(record) == ["seed=7"]


def test_files_are_fetched_only_as_the_own_configuration_says(
    composed: Composed, tmp_path: Path
) -> None:
    own = check_config(composed("data=nsmc")).data
    (tmp_path / "cache" / "entry").mkdir(parents=True)
    (tmp_path / "cache" / "entry" / "manifest.json").write_text("{}")
    assert with_own_files(own, own) == own
    for changed in ("root", "train_file", "unlabelled_file", "unlabelled_archive"):
        foreign = own.model_copy(update={changed: "elsewhere", "cache_dir": "elsewhere"})
        found = with_own_files(foreign, own)
        assert {file.url for file in (found.remote_files or {}).values()} == {""}
        assert (found.unlabelled_archive, found.cache_dir) == (None, own.cache_dir)
    cached = own.model_copy(update={"cache_dir": str(tmp_path / "cache")})
    assert with_own_files(cached, own) == cached
    wanted = own.model_copy(update={"root": str(tmp_path), "unlabelled": True})
    with pytest.raises(FileNotFoundError, match=r"unlabeled\.txt is not there; .* set data\.root"):
        with_own_files(wanted, None)


def test_a_recipe_that_goes_on_has_the_files_of_its_checked_configuration(
    composed: Composed,
) -> None:
    own = check_config(composed("data=nsmc")).data
    foreign = with_own_files(own.model_copy(update={"root": "/else, where"}), own)
    typed = {"test": False, "data.root": "/x", "data.unlabelled_file": "../y"}
    config = check_config(composed(*as_overrides({**typed, **recorded_files(foreign)})))
    assert not config.test
    assert config.data == foreign


@pytest.mark.parametrize(
    "step",
    [
        *({"data": {key: "/x"}} for key in ("root", "train_file", "unlabelled_file", "cache_dir")),
        {"data": {"unlabelled_archive": "http://example.org"}},
        {"defaults": {"data": "nsmc"}},
    ],
)
def test_a_recorded_step_has_no_corpus_of_its_own(step: dict[str, Any]) -> None:
    check_recorded_steps(RecipeConfig(steps={"a": {"data": {"split_seed": 3}}}))
    with pytest.raises(ValueError, match=r"recipe, step a: data.*: not taken over from a run"):
        check_recorded_steps(RecipeConfig(steps={"a": step}))


@pytest.mark.parametrize("place", ["train.log", ".hydra/config.yaml", "checkpoints"])
def test_a_folder_with_links_or_pipes_in_it_is_no_runs(tmp_path: Path, place: str) -> None:
    path = tmp_path / "run" / place
    path.parent.mkdir(parents=True)
    (tmp_path / "run" / "run.json").touch()
    check_own_files(tmp_path / "run")
    path.symlink_to(tmp_path)
    with pytest.raises(ValueError, match=f"{place}: a link; a run keeps its files in its own"):
        check_own_files(tmp_path / "run")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=f"{place}: no regular file"):
        check_own_files(tmp_path / "run")
