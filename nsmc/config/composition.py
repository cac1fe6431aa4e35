"""Where the configuration comes from besides `configs/`, for the commands that this one starts.

`--config-dir` and `hydra.searchpath` add folders, `--config-path` and `--config-name` choose
another configuration altogether. A recipe's steps and a sweep's jobs are composed from the same.
"""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError

import nsmc
from nsmc.config.commands import train_command
from nsmc.config.errors import describe
from nsmc.config.hydra_releases import configurations_in
from nsmc.config.overrides import quoted, readable, typed_values
from nsmc.config.schema import RunConfig, check_config

CONFIG_NAME = "train"
SEARCH_PATH = "hydra.searchpath"
_TYPED = "command-line"  # in the names that Hydra has for folders that were typed

_PACKAGE = Path(nsmc.__file__).parent
_IN_THE_WHEEL = _PACKAGE / "configs"  # see pyproject.toml; a clone has them beside the package
CONFIGS = _IN_THE_WHEEL if _IN_THE_WHEEL.is_dir() else _PACKAGE.parent / "configs"


def composed(overrides: Sequence[str]) -> RunConfig:
    """What `nsmc train` with these overrides would run; raises ValueError where that is wrong."""
    return check_config(composed_values(overrides))


def composed_values(overrides: Sequence[str]) -> dict[str, Any]:
    """The same unchecked, so that values may be missing: `???`."""
    is_running = GlobalHydra.instance().is_initialized()
    folder = nullcontext() if is_running else configurations_in(CONFIGS)
    try:
        with folder:
            values: Any = OmegaConf.to_container(compose(_name(), list(overrides)), resolve=True)
    except (HydraException, OmegaConfBaseException, MarkedYAMLError) as error:
        raise ValueError(describe(error)) from None
    return cast(dict[str, Any], values)


def typed(overrides: Sequence[str]) -> dict[str, Any]:
    """The values that overrides set, by key; raises ValueError where one cannot be read."""
    try:
        return dict(typed_values([readable(override) for override in overrides]))
    except HydraException as error:
        raise ValueError(describe(error)) from None


def as_yaml(values: Mapping[str, Any]) -> str:
    """Keys and plain values as a file of the configuration, which gives back just these."""
    return OmegaConf.to_yaml(OmegaConf.create(literal(values)))


def literal(value: Any) -> Any:
    """With `${` in text as text."""
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [*map(literal, value)]
    return value.replace("${", "\\${") if isinstance(value, str) else value


def _name() -> str | None:
    return HydraConfig.get().job.config_name if HydraConfig.initialized() else CONFIG_NAME


def check_left_out(overrides: Sequence[str]) -> None:
    """Raises ValueError where a file leaves out a step that no file before it has.

    In what is composed, that one is as null as one that was there.
    """
    loader = GlobalHydra.instance().config_loader()
    steps: dict[str, Any] = {}
    for default in loader.compute_defaults_list(_name(), [*overrides], RunMode.RUN).defaults:
        file = loader.repository.load_config(default.config_path)  # type: ignore[attr-defined]
        if file is None:  # in a folder that was typed as hydra.searchpath
            return
        values: Any = OmegaConf.to_container(file.config)
        added = (values.get("recipe") or {}).get("steps") or {}
        for name in [name for name, step in added.items() if step is None and name not in steps]:
            raise ValueError(
                f"{default.config_path}: {name}: null leaves out no step; there are "
                f"{', '.join(steps)}"
            )
        steps |= added


def search_path() -> list[str]:
    """The override that adds the folders that were typed; empty without any."""
    if not HydraConfig.initialized():
        return []
    sources: list[Any] = HydraConfig.get().runtime.config_sources
    if not any(_TYPED in source.provider for source in sources):
        return []
    # With those that the main configuration adds: the override replaces them.
    added = [s for s in sources if s.provider == _TYPED or s.provider.startswith(SEARCH_PATH)]
    paths = [Path(s.path).absolute() if s.schema == "file" else s.path for s in added]
    addresses = [f"{s.schema}://{path}" for s, path in zip(added, paths, strict=True)]
    return [f"{SEARCH_PATH}=[{','.join(map(quoted, addresses))}]"]


def flags() -> list[str]:
    """The flags that choose another configuration; empty for `configs/train.yaml`."""
    if not HydraConfig.initialized():
        return []
    config = HydraConfig.get()
    (main,) = [source for source in config.runtime.config_sources if source.provider == "main"]
    chosen = []
    if main.schema == "file" and Path(main.path) != CONFIGS:
        chosen += ["--config-path", str(Path(main.path).absolute())]
    if config.job.config_name != CONFIG_NAME:
        chosen += ["--config-name", str(config.job.config_name)]
    return chosen


def check_composed_alike(resume: str, record: Mapping[str, Any]) -> None:
    """Raises ValueError where a resumed recipe would be composed from other folders than before.

    Folders that only a record names are not read: they could hold anything.
    """
    recorded = [o for o in record.get("overrides", []) if o.startswith(f"{SEARCH_PATH}=")][:1]
    before = record.get("flags", [])
    if before != flags() or recorded != search_path():
        command = shlex.join([*train_command().split(), *before, *recorded])
        raise ValueError(
            f"resume={resume}: its steps were composed by {command}; type that again, if you trust "
            "what it names"
        )
