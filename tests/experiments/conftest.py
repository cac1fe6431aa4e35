"""Composed configurations for the tests of the experiments wing."""

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from nsmc.experiments.resolvers import register_resolvers

CONFIGS = Path(__file__).parents[2] / "configs"


@functools.cache  # the same few are asked for again and again, a good tenth of a second each
def _composed(*overrides: str) -> dict[str, Any]:
    register_resolvers()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        values = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


@pytest.fixture
def composed() -> Callable[..., dict[str, Any]]:
    """What `python train.py OVERRIDES` composes, as plain values."""
    return lambda *overrides: copy.deepcopy(_composed(*overrides))
