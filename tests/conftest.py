"""What the end-to-end tests share."""

from pathlib import Path

import pytest

from tests.commands import write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny corpus: 40 reviews to train and validate on, 8 to test on."""
    root = tmp_path_factory.mktemp("corpus")
    write_corpus(root)
    return root
