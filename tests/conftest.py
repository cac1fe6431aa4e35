"""What the end-to-end tests share, and one thread of torch's in each process that tests."""

import copy
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import let_signals_through, write_corpus

# Two processes with as many threads each as there are cores wait for each other's threads at every
# small product. torch reads this when it is imported, which is later.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    let_signals_through()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny corpus: 40 reviews to train and validate on, 8 to test on."""
    root = tmp_path_factory.mktemp("corpus")
    write_corpus(root)
    return root


@functools.cache  # the same few are asked for again and again, a good tenth of a second each
def _composed(*overrides: str) -> dict[str, Any]:
    from hydra import compose
    from omegaconf import OmegaConf

    from nsmc.config.hydra_releases import configurations_in
    from nsmc.runs.resolvers import register_resolvers

    register_resolvers()
    with configurations_in(Path(__file__).parents[1] / "configs"):
        values = OmegaConf.to_container(compose("train", list(overrides)), resolve=True)
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}


@pytest.fixture
def composed() -> Callable[..., dict[str, Any]]:
    """What `python train.py OVERRIDES` composes, as plain values."""
    return lambda *overrides: copy.deepcopy(_composed(*overrides))
