"""The processes that train together: which one this is, and the folder that they all write to.

Lightning starts those of one machine itself; torchrun and Slurm's srun start them all. On several
machines without either, somebody starts one on each and sets NODE_RANK. The first process keeps the
record and exports; all this is decided before it makes a folder, and before torch is imported.
"""

import os
from pathlib import Path

from nsmc.config.schema import RunConfig
from nsmc.config.trainer import TrainerConfig
from nsmc.training.slurm import is_slurm_job


def other(num_nodes: int) -> str:
    """A name, such as rank_1, of a process that is not the first; "" of the first or only one."""
    rank = _rank_of_launcher()
    if rank is not None:
        return f"rank_{rank}" if rank else ""
    # Some clouds set it for each machine, whether one run is to use them all or not.
    node = int(os.environ.get("NODE_RANK", 0)) if num_nodes > 1 else 0
    local = int(os.environ.get("LOCAL_RANK", 0))
    parts = {"node": node, "rank": local}
    return "_".join(f"{name}_{number}" for name, number in parts.items() if number)


def is_first(trainer: TrainerConfig) -> bool:
    """Whether this process keeps the run's record: the first of those that train together."""
    return not other(trainer.num_nodes)


def started_together() -> int:
    """How many processes torchrun or srun has started; 1 where neither has."""
    if _is_torchrun():
        return int(os.environ["WORLD_SIZE"])
    if is_slurm_job():
        # SLURM_NTASKS alone is what a script's job was granted, perhaps for several commands.
        granted = os.environ["SLURM_NTASKS"] if _rank_of_launcher() else "1"
        return int(os.environ.get("SLURM_STEP_NUM_TASKS", granted))
    return 1


def number_among_unwatched(trainer: TrainerConfig) -> tuple[int, int] | None:
    """This process's number among those that find each other by themselves, and how many these are.

    None where there is one alone, or where Lightning or torchrun ends the others with it.
    """
    if _is_torchrun() or trainer.processes == 1:
        return None
    if (rank := _rank_of_launcher()) is not None:
        return (rank, started_together()) if started_together() > 1 else None
    if trainer.num_nodes == 1 or int(os.environ.get("LOCAL_RANK", 0)):
        return None
    return int(os.environ.get("NODE_RANK", 0)), trainer.num_nodes


def check_started(config: RunConfig) -> None:
    """Raises ValueError, the same in each process, where another number of them was started."""
    started = started_together()
    if config.recipe or config.task == "linear":
        if started > 1 or (config.recipe and config.trainer.num_nodes > 1):
            what = "a recipe" if config.recipe else "task=linear"
            raise ValueError(f"{what}: start one process on one machine; it starts what it needs")
    elif started > 1 and started != config.trainer.processes:
        trainer = config.trainer
        raise ValueError(
            f"{started} processes were started together, but trainer.devices={trainer.devices} and "
            f"trainer.num_nodes={trainer.num_nodes} need {trainer.processes}: use trainer=ddp, and "
            "as many devices as there are processes on each machine"
        )


def common_folder(own: str, new: str, processes: int, num_nodes: int) -> str:
    """The folder of the run that the processes share; `own` is this process's choice.

    A job of Slurm's has a folder that is named by the job, and is resumed there when it is
    requeued. `new` is the folder of a new run. Raises ValueError where the machines cannot agree
    before they train.
    """
    if processes == 1:
        return own
    if _is_torchrun():
        return _agreed(own)
    if is_slurm_job() and own == new:
        names = ("SLURM_JOB_ID", "SLURM_STEP_ID")
        job = ".".join(os.environ[name] for name in names if name in os.environ)
        return str(Path(new).with_name(f"slurm-{job}"))
    if num_nodes > 1:
        raise ValueError(
            f"trainer.num_nodes={num_nodes}: the machines need one folder: set the same "
            "hydra.run.dir on each of them"
        )
    return own


def _is_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _rank_of_launcher() -> int | None:
    """This process's number among those that torchrun or srun has started."""
    if _is_torchrun():
        return int(os.environ["RANK"])
    return int(os.environ.get("SLURM_PROCID", 0)) if is_slurm_job() else None


def _agreed(folder: str) -> str:
    """The folder of the process that was first to write to torchrun's store."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    environment = os.environ
    address, port = environment["MASTER_ADDR"], int(environment["MASTER_PORT"])
    store = TCPStore(address, port, is_master=False)
    key = f"nsmc/{environment['TORCHELASTIC_RUN_ID']}/run_folder"
    first: bytes = store.compare_set(key, "", folder)
    return first.decode()
