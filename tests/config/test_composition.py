"""Commands that are started find the same configuration again."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir

from nsmc.config.composition import CONFIGS, check_composed_alike, composed, flags, search_path


def test_without_flags_nothing_is_added() -> None:
    assert flags() == search_path() == []
    check_composed_alike("a", {"overrides": ["seed=1"]})


def test_steps_are_composed_from_the_files_and_checked() -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        own = ["data=folder", "data.root=mine", "hydra.run.dir=x"]
        assert composed([*own, "seed=7"]).seed == 7
        with pytest.raises(ValueError, match=r"model\.lr=0: must be"):
            composed([*own, "model.lr=0"])


def test_a_recorded_folder_of_configurations_has_to_be_typed_again(tmp_path: Path) -> None:
    record = {"flags": ["--config-name", "mine"], "overrides": [f"hydra.searchpath=[{tmp_path}]"]}
    with pytest.raises(ValueError, match=r"--config-name mine .*searchpath=.*; type that again"):
        check_composed_alike("a", record)
