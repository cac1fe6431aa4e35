"""Functions for the YAML files, such as `${sample_root:}`."""

import functools
import secrets
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import nsmc.data
from nsmc.config.commands import train_command
from nsmc.config.hydra_releases import register_resolver
from nsmc.config.schema import check_config
from nsmc.runs.processes import common_folder, other
from nsmc.runs.resume import AUTO, named_folder, newest_unfinished, of_restarted_job
from nsmc.training.slurm import is_restarted

_HYDRA = ".hydra"

# Looked for once: a run that has begun is no longer one to resume.
_folders: dict[tuple[str | None, str], str] = {}


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf; doing so twice changes nothing."""
    resolvers = (train_command, sample_root, run_id, run_model, sweep_folder, run_folder)
    for resolver in (*resolvers, hydra_subdir, log_name):
        register_resolver(resolver.__name__, resolver)


def sample_root() -> str:
    """The folder of the sample corpus inside the installed package."""
    return str(Path(nsmc.data.__path__[0]) / "sample")


@functools.cache
def run_id() -> str:
    """Four hexadecimal digits, the same throughout a process: two runs in one second differ."""
    return secrets.token_hex(2)


def run_model(*, _root_: DictConfig) -> str:
    """What a run trains, for its folder's name: `gru`, `linear`, or `recipe`."""
    if _root_.recipe is not None:
        return "recipe"
    return str("linear" if _root_.task == "linear" else _root_.model.architecture)


def sweep_folder(name: str | None, unnamed: str) -> str:
    """The name of a sweep's folder."""
    return name or unnamed


def run_folder(resume: str | None, new: str, *, _root_: DictConfig) -> str:
    """The run's folder: that of the resumed run, or a new one."""
    if (resume, new) not in _folders:
        own = _own_folder(resume, new, _root_)
        devices, nodes = _root_.trainer.devices, _root_.trainer.num_nodes
        is_one = _root_.recipe is not None or resume not in (None, AUTO)
        _folders[resume, new] = own if is_one else common_folder(own, new, devices * nodes, nodes)
    return _folders[resume, new]


def _own_folder(resume: str | None, new: str, root: DictConfig) -> str:
    """This process's choice. A job that Slurm runs again goes on with what it has begun."""
    is_alone = root.trainer.devices * root.trainer.num_nodes == 1
    if resume not in (None, AUTO):
        return str(named_folder(str(resume)))
    if resume is None and not (is_restarted() and is_alone):
        return new
    keys = [str(key) for key in root if key != "hydra"]
    values: Any = OmegaConf.to_container(OmegaConf.masked_copy(root, keys), resolve=True)
    find = of_restarted_job if resume is None else newest_unfinished
    typed = list(root.hydra.overrides.task)
    return str(find(check_config(values), typed, Path(new).parent) or new)


def hydra_subdir(resume: str | None, folder: str, *, _root_: DictConfig) -> str | None:
    """Where Hydra writes the configuration; None where a resumed run has one, or in later ranks."""
    has_one = resume is not None and (Path(folder) / _HYDRA).is_dir()
    return None if has_one or other(_root_.trainer.num_nodes) else _HYDRA


def log_name(name: str, *, _root_: DictConfig) -> str:
    """The name of the log; each of the processes that train together has its own."""
    job = name.partition("_ddp_process_")[0]  # those that Lightning starts are called so
    return "_".join(filter(None, [job, other(_root_.trainer.num_nodes)]))
