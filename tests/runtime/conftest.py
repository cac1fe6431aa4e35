"""What the tests of the runtime share: the recurrence in C and in numpy."""

from collections.abc import Iterator

import pytest

from nsmc.runtime import recurrence


@pytest.fixture(scope="module", params=["compiled", "numpy"])
def each_kernel(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs a module's tests twice; without a compiler the first time is skipped."""
    if request.param == "compiled" and not recurrence.HAS_KERNEL:
        pytest.skip("the package was built without a compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence, "HAS_KERNEL", request.param == "compiled")
        yield
