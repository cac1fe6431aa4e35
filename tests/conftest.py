"""What the end-to-end tests share."""

import signal
from pathlib import Path

import pytest

from tests.commands import write_corpus


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the tests' processes where the tests run in a shell's background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny corpus: 40 reviews to train and validate on, 8 to test on."""
    root = tmp_path_factory.mktemp("corpus")
    write_corpus(root)
    return root
