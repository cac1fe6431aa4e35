"""Commands that are started find the same configuration again."""

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from nsmc.config.composition import (
    CONFIGS,
    check_composed_alike,
    check_left_out,
    composed,
    composed_values,
    flags,
    search_path,
)
from nsmc.config.hydra_releases import configurations_in


def test_without_flags_nothing_is_added() -> None:
    assert flags() == search_path() == []
    check_composed_alike("a", {"overrides": ["seed=1"]})


def test_steps_are_composed_from_the_files_and_checked() -> None:
    with configurations_in(CONFIGS):
        own = ["data=folder", "data.root=mine", "hydra.run.dir=x"]
        assert composed([*own, "seed=7"]).seed == 7
        with pytest.raises(ValueError, match=r"model\.lr=0: must be"):
            composed([*own, "model.lr=0"])


def test_a_recorded_folder_of_configurations_has_to_be_typed_again(tmp_path: Path) -> None:
    record = {"flags": ["--config-name", "mine"], "overrides": [f"hydra.searchpath=[{tmp_path}]"]}
    with pytest.raises(ValueError, match=r"--config-name mine .*searchpath=.*; type that again"):
        check_composed_alike("a", record)


@pytest.mark.parametrize(("dropped", "is_there"), [("student", True), ("studnet", False)])
def test_a_misspelt_step_that_is_left_out_is_named(
    tmp_path: Path, dropped: str, is_there: bool
) -> None:
    (tmp_path / "experiment").mkdir()
    header = "# @package _global_\ndefaults: [/experiment/best, _self_]\n"
    recipe = f"recipe: {{steps: {{{dropped}: null}}}}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(header + recipe)
    with configurations_in(CONFIGS):
        loader = GlobalHydra.instance().config_loader()
        loader.get_search_path().append("test", f"file://{tmp_path}")
        loader.repository.initialize_sources(loader.get_search_path())  # type: ignore[attr-defined]
        if is_there:
            check_left_out(["experiment=mine"])
        else:
            with pytest.raises(
                ValueError, match=f"^experiment/mine: {dropped}: null leaves out no"
            ):
                check_left_out(["experiment=mine"])


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("label_map: {1-5: a, 6: b, 1-5: c}", "line 4: '1-5' is there twice"),
        ("root: a: b", "line 4: no YAML: mapping values are not allowed"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_in_a_line(tmp_path: Path, keys: str, problem: str) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data/mine.yaml"
    path.write_text(f"defaults:\n  - files\n  - _self_\n{keys}\n", encoding="utf-8")
    with pytest.raises(ValueError) as raised:
        composed_values([f"hydra.searchpath=[{tmp_path}]", "data=mine"])
    assert str(raised.value).startswith(f"{path}, {problem}")
