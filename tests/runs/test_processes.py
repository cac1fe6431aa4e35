"""Which process is the first one, and which folder those that train together share."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nsmc.config.schema import RunConfig, check_config
from nsmc.runs.processes import (
    check_started,
    common_folder,
    is_first,
    number_among_unwatched,
    other,
    started_together,
)

NEW = "outputs/runs/2026-01-02_nsmc_gru_ab12"
SLURM = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "81"}
VARIABLES = (
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"),
    *(*SLURM, "SLURM_PROCID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS"),
)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets variables, and no other of those that tell processes apart."""

    def change(**values: str) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return change


@pytest.mark.parametrize(
    ("values", "num_nodes", "name"),
    [
        ({}, 1, ""),
        ({"LOCAL_RANK": "0"}, 1, ""),
        ({"LOCAL_RANK": "1"}, 1, "rank_1"),
        ({"NODE_RANK": "0"}, 2, ""),
        ({"NODE_RANK": "1"}, 2, "node_1"),
        ({"NODE_RANK": "1", "LOCAL_RANK": "1"}, 2, "node_1_rank_1"),
        ({"NODE_RANK": "1"}, 1, ""),  # each machine has a run of its own
        ({"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "LOCAL_RANK": "0"}, 1, ""),
        ({"TORCHELASTIC_RUN_ID": "none", "RANK": "2", "LOCAL_RANK": "0"}, 2, "rank_2"),
        ({**SLURM, "SLURM_PROCID": "0"}, 1, ""),
        ({**SLURM, "SLURM_PROCID": "1"}, 1, "rank_1"),
        ({**SLURM, "SLURM_JOB_NAME": "bash", "SLURM_PROCID": "1"}, 1, ""),
    ],
)
def test_the_first_process_is_known_from_the_environment(
    environment: Callable[..., None], values: dict[str, str], num_nodes: int, name: str
) -> None:
    environment(**values)
    assert other(num_nodes) == name


@pytest.fixture
def config(composed: Callable[..., dict[str, Any]]) -> Callable[..., RunConfig]:
    return lambda *overrides: check_config(composed("data=sample", *overrides))


def test_processes_that_do_not_fit_the_run_are_refused_in_each_of_them(
    environment: Callable[..., None], config: Callable[..., RunConfig]
) -> None:
    ddp = config("trainer=ddp", "trainer.devices=2")
    for rank in "01":
        environment(TORCHELASTIC_RUN_ID="none", RANK=rank, WORLD_SIZE="2")
        assert started_together() == 2
        check_started(ddp)
        assert is_first(ddp.trainer) == (rank == "0")
        with pytest.raises(ValueError, match=r"2 processes .* trainer.num_nodes=1 need 1"):
            check_started(config())
        with pytest.raises(ValueError, match="task=linear: start one process"):
            check_started(config("experiment=linear"))
        with pytest.raises(ValueError, match="a recipe: start one process"):
            check_started(config("experiment=best"))
        environment(**SLURM, SLURM_PROCID=rank, SLURM_STEP_NUM_TASKS="2")
        with pytest.raises(ValueError, match=r"2 processes .* need 1"):
            check_started(config())
    # A script of two tasks that runs a command without srun starts it once.
    environment(**SLURM, SLURM_PROCID="0")
    check_started(config())


def test_machines_that_know_nothing_of_one_another_need_a_folder(
    environment: Callable[..., None],
) -> None:
    environment(NODE_RANK="0")
    with pytest.raises(ValueError, match=r"trainer.num_nodes=2: .* same hydra.run.dir"):
        common_folder(NEW, NEW, processes=2, num_nodes=2)
    assert common_folder(NEW, NEW, processes=2, num_nodes=1) == NEW  # Lightning hands it down


def test_a_job_of_slurm_s_has_a_folder_that_it_finds_again(
    environment: Callable[..., None],
) -> None:
    environment(**SLURM, SLURM_STEP_ID="0")
    assert common_folder(NEW, NEW, processes=2, num_nodes=1) == "outputs/runs/slurm-81.0"
    assert common_folder(NEW, NEW, processes=1, num_nodes=1) == NEW


def test_torchrun_s_processes_agree_on_a_folder(environment: Callable[..., None]) -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=60))
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    folders = []
    for rank in "10":
        environment(TORCHELASTIC_RUN_ID="none", RANK=rank, WORLD_SIZE="2", **address)
        folders.append(common_folder(f"{NEW}{rank}", NEW, processes=2, num_nodes=1))
    assert folders == [f"{NEW}1", f"{NEW}1"]


@pytest.mark.parametrize(
    ("values", "num_nodes", "number"),
    [
        ({}, 1, None),  # Lightning starts the other one, and ends it
        ({"NODE_RANK": "0"}, 2, (0, 2)),
        ({"NODE_RANK": "1"}, 2, (1, 2)),
        ({"NODE_RANK": "1", "LOCAL_RANK": "1"}, 2, None),
        ({**SLURM, "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}, 1, (1, 2)),
        ({"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "WORLD_SIZE": "2"}, 1, None),
    ],
)
def test_processes_that_nobody_watches_are_numbered(
    environment: Callable[..., None],
    config: Callable[..., RunConfig],
    values: dict[str, str],
    num_nodes: int,
    number: tuple[int, int] | None,
) -> None:
    environment(**values)
    devices = 2 // num_nodes
    together = config(
        "trainer=ddp", f"trainer.devices={devices}", f"trainer.num_nodes={num_nodes}"
    ).trainer
    assert number_among_unwatched(together) == number
    assert number_among_unwatched(config().trainer) is None
