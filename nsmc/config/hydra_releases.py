"""What differs between Hydra 1.3 and 1.4, and the releases of OmegaConf that they need."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_dir, version
from omegaconf import OmegaConf

_IS_1_3 = hydra.__version__.startswith("1.3.")
# Hydra 1.3 behaves as 1.1 unless it is told its own version, and 1.4 warns of who tells it.
_BASE = {"version_base": "1.3"} if _IS_1_3 else {}


def set_version_base() -> None:
    """Let Hydra behave as it does by default in its newest release."""
    if _IS_1_3:
        version.setbase("1.3")


def trusting_configurations() -> AbstractContextManager[Any]:
    """Within it, Hydra runs what the configuration names, as 1.3 always does, without a warning.

    Whoever adds a folder of configurations, as by `--config-dir`, trusts it: see docs/extending.md.
    """
    if _IS_1_3:
        return nullcontext()
    from hydra import utils

    unchecked: Any = utils
    trust: AbstractContextManager[Any] = unchecked.execution_whitelist(
        unchecked.UNSAFE_DISABLE_EXECUTION_CHECKS
    )
    return trust


def configurations_in(folder: Path) -> AbstractContextManager[Any]:
    """Within it, Hydra composes from the folder."""
    return initialize_config_dir(str(folder), **_BASE)


def register_resolver(name: str, resolver: Callable[..., Any]) -> None:
    """Make a function known to OmegaConf; doing so twice changes nothing."""
    # OmegaConf 2.4, for Hydra 1.4, warns of that name; in 2.3 `register_resolver` is another thing.
    register: Any = OmegaConf.register_new_resolver if _IS_1_3 else OmegaConf.register_resolver
    register(name, resolver, replace=True)
