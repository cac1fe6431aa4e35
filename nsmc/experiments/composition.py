"""Where the configuration comes from besides `configs/`, for the commands that this one starts.

`--config-dir` and `hydra.searchpath` add folders, `--config-path` and `--config-name` choose
another configuration altogether. A recipe's steps and a sweep's jobs are composed from the same.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

import nsmc
from nsmc.experiments.overrides import quoted

CONFIG_NAME = "train"
SEARCH_PATH = "hydra.searchpath"
_TYPED = "command-line"  # in the names that Hydra has for folders that were typed

# In a clone and in an installation alike.
_CONFIGS = Path(nsmc.__file__).parents[1] / "configs"


def search_path() -> list[str]:
    """The override that adds the folders that were typed; empty without any."""
    sources: list[Any] = HydraConfig.get().runtime.config_sources
    if not any(_TYPED in source.provider for source in sources):
        return []
    # With those that the main configuration adds: the override replaces them.
    added = [s for s in sources if s.provider == _TYPED or s.provider.startswith(SEARCH_PATH)]
    return [f"{SEARCH_PATH}=[{','.join(quoted(_address(source)) for source in added)}]"]


def _address(source: Any) -> str:
    path = Path(source.path).absolute() if source.schema == "file" else source.path
    return f"{source.schema}://{path}"


def flags() -> list[str]:
    """The flags that choose another configuration; empty for `configs/train.yaml`."""
    if not HydraConfig.initialized():
        return []
    config = HydraConfig.get()
    (main,) = [source for source in config.runtime.config_sources if source.provider == "main"]
    chosen = []
    if main.schema == "file" and Path(main.path) != _CONFIGS:
        chosen += ["--config-path", str(Path(main.path).absolute())]
    if config.job.config_name != CONFIG_NAME:
        chosen += ["--config-name", str(config.job.config_name)]
    return chosen


def check_flags(resume: str, earlier: Sequence[str]) -> None:
    """Raises ValueError where a recipe that goes on would be composed otherwise than before."""
    if list(earlier) != flags():
        before = shlex.join(["python", "train.py", *earlier])
        raise ValueError(f"resume={resume}: its steps were composed by {before}; type that again")
