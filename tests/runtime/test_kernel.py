"""What the compiled recurrence is given is checked: nothing makes it leave an array."""

import importlib.machinery
import importlib.util
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.commands import PROJECT

kernel = pytest.importorskip("nsmc.runtime._kernel", reason="built without a compiler")

H = 16
SOURCE = PROJECT / "nsmc" / "runtime" / "_kernel.c"
NAMES = ("inputs", "source", "active", "weight", "bias", "state", "memory", "outputs", "target")


def arrays(cell: str, **changes: object) -> list[Any]:
    """Arguments of a sound call: three reviews of 2, 1 and 0 tokens, which are rows 1, 0 and 3."""
    gates = (3 if cell == "gru" else 4) * H
    generator = np.random.default_rng(0)
    values: dict[str, object] = {
        "inputs": generator.normal(0, 1, (4, gates)).astype(np.float32),
        "source": np.array([1, 0, 3]),
        "active": np.array([2, 1]),
        "weight": generator.normal(0, 0.3, (1, H, 64)).astype(np.float32),
        "bias": generator.normal(0, 1, H).astype(np.float32) if cell == "gru" else None,
        "state": np.zeros((3, H), np.float32),
        "memory": None if cell == "gru" else np.zeros((3, H), np.float32),
        "outputs": np.zeros((3, H), np.float32),
        "target": np.array([0, 1, 2]),
    }
    assert values.keys() >= changes.keys()
    return list({**values, **changes}.values())


each_cell = pytest.mark.parametrize("cell", ["gru", "lstm"])


@each_cell
def test_a_sound_call_writes_the_state_and_the_outputs(cell: str) -> None:
    given = arrays(cell)
    kernel.run(*given)
    values = dict(zip(NAMES, given, strict=True))
    np.testing.assert_array_equal(values["state"][0], values["outputs"][2])
    np.testing.assert_array_equal(values["state"][1], values["outputs"][1])
    assert values["outputs"].all()
    assert not values["state"][2].any()  # a review without a token
    alone = arrays(cell, outputs=None, target=None)
    kernel.run(*alone)
    np.testing.assert_array_equal(alone[5], values["state"])


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


WRONG: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "a row of inputs that is not there": ({"source": np.array([1, 0, 4])}, IndexError),
    "a negative row of inputs": ({"source": np.array([1, -1, 3])}, IndexError),
    "a row of outputs that is not there": ({"target": np.array([0, 1, 3])}, IndexError),
    "a negative row of outputs": ({"target": np.array([0, -(2**62), 2])}, IndexError),
    "more reviews than states": ({"active": np.array([4, -1])}, ValueError),
    "a review that begins late": ({"active": np.array([1, 2])}, ValueError),
    "a negative step": ({"active": np.array([2, 2, -1])}, ValueError),
    "fewer tokens than steps have": ({"active": np.array([2, 2])}, ValueError),
    "more tokens than steps have": ({"active": np.array([2])}, ValueError),
    "no step": ({"active": zeros(0, dtype=np.int64)}, ValueError),
    "fewer targets than tokens": ({"target": np.array([0, 1])}, ValueError),
    "outputs without targets": ({"target": None}, ValueError),
    "targets without outputs": ({"outputs": None}, ValueError),
    "inputs of another width": ({"inputs": zeros(4, 2 * H)}, ValueError),
    "states of another width": ({"state": zeros(3, 2 * H)}, ValueError),
    "outputs of another width": ({"outputs": zeros(3, H - 1)}, ValueError),
    "weights of another hidden size": ({"weight": zeros(1, 2 * H, 64)}, ValueError),
    "another number of panels": ({"weight": zeros(2, H, 64)}, ValueError),
    "panels of another width": ({"weight": zeros(1, H, 3 * H)}, ValueError),
    "no hidden size": ({"weight": zeros(0, 0, 64), "inputs": zeros(4, 0)}, ValueError),
    "float16 weights": ({"weight": zeros(1, H, 64, dtype=np.float16)}, TypeError),
    "float64 inputs": ({"inputs": zeros(4, 3 * H, dtype=np.float64)}, TypeError),
    "int32 rows": ({"source": np.array([1, 0, 3], np.int32)}, TypeError),
    "unsigned rows": ({"source": np.array([1, 0, 3], np.uint64)}, TypeError),
    "one dimension too few": ({"state": zeros(H)}, TypeError),
    "one dimension too many": ({"source": zeros(3, 1, dtype=np.int64)}, TypeError),
    "other byte order": ({"weight": zeros(1, H, 64, dtype=">f4")}, TypeError),
    "every other row": ({"weight": zeros(1, 2 * H, 64)[:, ::2]}, ValueError),
    "a turned matrix": ({"weight": zeros(64, H, 1).T}, ValueError),
    "no array": ({"inputs": [[0.0] * 3 * H]}, TypeError),
    "nothing": ({"inputs": None}, TypeError),
    "no weight": ({"weight": None}, TypeError),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name: str) -> None:
    changes, error = WRONG[name]
    given = arrays("gru", **changes)
    with pytest.raises((error, BufferError)):
        kernel.run(*given)
    if isinstance(given[5], np.ndarray):
        assert not given[5].any()


@each_cell
def test_a_cell_has_a_bias_or_a_memory_but_not_both(cell: str) -> None:
    bias, memory = np.zeros(H, np.float32), np.zeros((3, H), np.float32)
    for changes in ({"bias": bias, "memory": memory}, {"bias": None, "memory": None}):
        with pytest.raises(ValueError, match="do not fit"):
            kernel.run(*arrays(cell, **changes))
    other = {"bias": bias, "memory": None} if cell == "lstm" else {"bias": None, "memory": memory}
    with pytest.raises(ValueError, match="do not fit"):
        kernel.run(*arrays(cell, **other))


def test_an_array_that_cannot_be_written_is_refused() -> None:
    state = np.zeros((3, H), np.float32)
    state.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        kernel.run(*arrays("gru", state=state))


def test_the_number_of_arguments_is_checked() -> None:
    with pytest.raises(TypeError):
        kernel.run(*arrays("gru")[:-1])


@each_cell
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40])
def test_any_number_at_all_gives_some_number(cell: str, value: float) -> None:
    given = arrays(cell)
    given[0][1] = value
    kernel.run(*given)
    state = given[5]
    assert np.isfinite(state[1]).all()  # the other review
    if np.isnan(value):
        assert np.isnan(state[0]).all()


@each_cell
def test_views_are_released(cell: str) -> None:
    state = bytearray(3 * H * 4)
    given = arrays(cell, state=memoryview(state).cast("f", (3, H)))
    kernel.run(*given)
    with pytest.raises(IndexError):
        kernel.run(*arrays(cell, state=given[5], source=np.array([9, 0, 0])))
    given[5].release()  # which it could not be while someone had a view of it
    state.clear()


def test_rows_that_a_step_would_overwrite_are_refused() -> None:
    state = np.zeros((4, H), np.float32)
    source = state.reshape(-1).view(np.int64)[:3]
    with pytest.raises(ValueError, match="shares memory"):
        kernel.run(*arrays("gru", state=state, source=source))
    with pytest.raises(ValueError, match="shares memory"):
        kernel.run(*arrays("lstm", state=state[:3], memory=state[:3]))
    assert not state.any()


# What the processor then supports: the fourth letter tells "avx512f", "avx2" and "fma" apart.
PROCESSORS = {"avx2": "(name)[3]!='5'&&__builtin_cpu_supports(name)", "any": "0"}


@pytest.fixture(scope="module", params=PROCESSORS)
def for_another_processor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ModuleType:
    """The kernel as it runs on a processor without AVX-512, or with no vectors that it knows."""
    headers = sysconfig.get_path("include")
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    if shutil.which(linker[0]) is None or not Path(headers, "Python.h").is_file():
        pytest.skip("there is no C compiler, or no Python.h")
    path = tmp_path_factory.mktemp("kernel") / "_kernel.abi3.so"
    answer = f"-D__builtin_cpu_supports(name)=({PROCESSORS[request.param]})"
    command = [*linker, "-O3", "-fPIC", answer, f"-I{headers}", str(SOURCE), "-o", str(path)]
    subprocess.run(command, check=True)
    return loaded(path)


def loaded(path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader("_kernel", str(path))
    spec = importlib.util.spec_from_loader("_kernel", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@each_cell
@pytest.mark.parametrize("hidden_size", [H, 48, 128])
def test_every_processor_gives_the_same_numbers(
    cell: str, hidden_size: int, for_another_processor: ModuleType
) -> None:
    given, others = many_reviews(cell, hidden_size), many_reviews(cell, hidden_size)
    kernel.run(*given)
    for_another_processor.run(*others)
    for name, ours, theirs in zip(NAMES, given, others, strict=True):
        if ours is not None:
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=2e-6, err_msg=name)
    assert given[NAMES.index("outputs")].all()


def many_reviews(cell: str, hidden_size: int) -> list[Any]:
    """Arguments of a call with enough reviews, of 9 tokens at most, to take all paths."""
    active = np.array([17, 15, 13, 12, 7, 6, 3, 2, 1])
    tokens, width = int(active.sum()), (3 if cell == "gru" else 4) * hidden_size
    generator = np.random.default_rng(0)

    def normal(deviation: float, *shape: int) -> Any:
        return generator.normal(0, deviation, shape).astype(np.float32)

    return arrays(
        cell,
        inputs=normal(1, tokens, width),
        source=generator.permutation(tokens),
        active=active,
        weight=normal(hidden_size**-0.5, -(-width // 64), hidden_size, 64),
        bias=normal(1, hidden_size) if cell == "gru" else None,
        state=zeros(17, hidden_size),
        memory=zeros(17, hidden_size) if cell == "lstm" else None,
        outputs=zeros(tokens, hidden_size),
        target=generator.permutation(tokens),
    )
