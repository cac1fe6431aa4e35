"""What the YAML files' functions give."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from nsmc.runs.resolvers import register_resolvers


def resolved(expression: str, num_nodes: int = 1) -> object:
    register_resolvers()
    trainer = {"devices": 1, "num_nodes": num_nodes}
    return OmegaConf.create({"trainer": trainer, "recipe": None, "it": expression}).it


def test_the_sample_is_inside_the_package() -> None:
    assert (Path(str(resolved("${sample_root:}"))) / "ratings_train.txt").is_file()


def test_a_run_has_one_name_throughout_a_process() -> None:
    assert resolved("${run_id:}") == resolved("${run_id:}")
    assert resolved("${run_folder:null,outputs/runs/new}") == "outputs/runs/new"


def test_a_run_is_named_after_what_it_trains() -> None:
    register_resolvers()
    values = {"recipe": None, "task": "classify", "model": {"architecture": "gru"}}
    for changes, name in (({}, "gru"), ({"task": "linear"}, "linear"), ({"recipe": {}}, "recipe")):
        assert OmegaConf.create({**values, **changes, "it": "${run_model:}"}).it == name


def test_a_sweep_without_a_name_gets_one() -> None:
    assert resolved("${sweep_folder:null,now}") == "now"
    assert resolved("${sweep_folder:mine,now}") == "mine"


def test_hydra_s_files_and_the_log_are_the_first_process_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_RANK", "0")
    assert resolved(f"${{hydra_subdir:null,{tmp_path}}}") == ".hydra"
    assert resolved("${log_name:train_ddp_process_1}") == "train"
    (tmp_path / ".hydra").mkdir()
    assert resolved(f"${{hydra_subdir:{tmp_path},{tmp_path}}}") is None  # it keeps what it has
    monkeypatch.setenv("NODE_RANK", "1")
    assert resolved(f"${{hydra_subdir:null,{tmp_path}}}", num_nodes=2) is None
    assert resolved("${log_name:train}", num_nodes=2) == "train_node_1"
