"""What the end-to-end tests share, and one thread of torch's in each process that tests."""

import os
from pathlib import Path

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
