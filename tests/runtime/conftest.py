"""What the tests of the runtime share: a tokenizer's file, the networks in C and in numpy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nsmc.runtime import compiled
from tests.bundles import TOKENIZER_FILE


@pytest.fixture(scope="session")
def tokenizer_file() -> Path:
    return TOKENIZER_FILE


@pytest.fixture(scope="module", params=["compiled", "numpy"])
def each_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs a module's tests twice; without a compiler the first time is skipped."""
    if request.param == "compiled" and not compiled.HAS_KERNEL:
        pytest.skip("the package was built without a compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "HAS_KERNEL", request.param == "compiled")
        yield
