"""What the compiled network is given is checked: nothing makes it leave an array.

That its answers are right, test_predictor.py sees.
"""

import gc
import itertools
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from nsmc.runtime.bundle import POOLINGS, BundleConfig
from nsmc.runtime.compiled import CompiledNetwork
from nsmc.runtime.network import NumpyNetwork
from tests.bundles import VOCAB_SIZE, config_of, random_tensors
from tests.kernels import PROCESSORS, kernel_for

kernel = pytest.importorskip("nsmc.runtime._kernel", reason="built without a compiler")

V, E, H, C = 9, 5, 7, 3


def normal(*shape: int) -> Any:
    return np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)


def cell(gates: int, inputs: int = E, hidden: int = H) -> tuple[Any, ...]:
    width = gates * hidden
    return normal(width, inputs), normal(width, hidden), normal(width), normal(width)


def arguments(**changes: Any) -> dict[str, Any]:
    """Those of a sound network: a GRU of two layers in both directions."""
    values: dict[str, Any] = {
        "embedding": normal(V, E),
        "cells": (cell(3), cell(3), cell(3, 2 * H), cell(3, 2 * H)),
        "directions": 2,
        "pooling": "last",
        "attention": None,
        "head": normal(C, 2 * H),
        "bias": normal(C),
    }
    assert values.keys() >= changes.keys()
    return values | changes


def with_cell(index: int, *changed: Any) -> dict[str, Any]:
    """The arguments with another cell at that place."""
    cells = list(arguments()["cells"])
    cells[index] = tuple(changed)
    return {"cells": tuple(cells)}


def out(rows: int, columns: int = C, dtype: Any = np.float32) -> Any:
    return np.zeros((rows, columns), dtype)


def test_a_sound_call_writes_the_logits() -> None:
    logits = out(3)
    assert kernel.Network(**arguments()).logits([[1, 2], [], (8,)], logits) is None
    np.testing.assert_array_equal(logits[1], arguments()["bias"])
    assert len({*logits.ravel().tolist()}) == 9


WRONG: dict[str, dict[str, Any]] = {
    "no cell": {"cells": ()},
    "cells that are no tuple": {"cells": list(arguments()["cells"])},
    "a cell of three arrays": with_cell(0, *cell(3)[:3]),
    "another cell of three arrays": with_cell(1, *cell(3)[:3]),
    "a cell that is no tuple": {"cells": (None, None)},
    "a layer with one direction of two": {"cells": arguments()["cells"][:3]},
    "no direction": {"directions": 0},
    "three directions": {"directions": 3, "cells": (cell(3),) * 3},
    "neither a GRU nor an LSTM": {"cells": (cell(5),) * 2},
    "a GRU and an LSTM": with_cell(1, *cell(4)),
    "inputs of another width": with_cell(0, *cell(3, E + 1)),
    "a layer that reads one direction": with_cell(2, *cell(3, H)),
    "another hidden size": with_cell(3, *cell(3, 2 * H, H + 1)),
    "a bias too short": with_cell(1, *cell(3)[:3], normal(3 * H - 1)),
    "another bias too short": with_cell(1, *cell(3)[:2], normal(3 * H - 1), normal(3 * H)),
    "a bias with two dimensions": with_cell(1, *cell(3)[:3], normal(1, 3 * H)),
    "an unknown pooling": {"pooling": "middle"},
    "attention without its weight": {"pooling": "attention"},
    "attention of another width": {"pooling": "attention", "attention": normal(1, H)},
    "attention that is not asked for": {"attention": normal(1, 2 * H)},
    "a head of another width": {"head": normal(C, H)},
    "a head of max_mean": {"head": normal(C, 4 * H)},
    "max_mean without a head of its own": {"pooling": "max_mean"},
    "no label": {"head": normal(0, 2 * H), "bias": normal(0)},
    "a bias for other labels": {"bias": normal(C + 1)},
    "no token": {"embedding": normal(0, E)},
    "an embedding of nothing": {"embedding": normal(V, 0)},
    "a float64 embedding": {"embedding": normal(V, E).astype(np.float64)},
    "a float16 bias": {"bias": normal(C).astype(np.float16)},
    "whole numbers of 16 bits": {"embedding": np.zeros((V, E), np.uint16)},
    "float16 between bytes": {
        "embedding": np.zeros(2 * V * E + 1, np.uint8)[1:].view(np.float16).reshape(V, E)
    },
    "a float64 head": {"head": normal(C, 2 * H).astype(np.float64)},
    "other byte order": {"bias": normal(C).astype(">f4")},
    "every other row": {"embedding": normal(2 * V, E)[::2]},
    "a turned matrix": {"embedding": normal(E, V).T},
    "numbers between bytes": {"bias": np.zeros(4 * C + 1, np.uint8)[1:].view(np.float32)},
    "no array": {"embedding": [[0.0] * E] * V},
    "nothing": {"embedding": None},
    "no head": {"head": None},
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises((TypeError, ValueError, BufferError)):
        kernel.Network(**arguments(**WRONG[name]))


def test_arguments_that_are_missing_are_refused() -> None:
    for name in arguments():
        given = arguments()
        del given[name]
        with pytest.raises(TypeError):
            kernel.Network(**given)
    with pytest.raises(TypeError):
        kernel.Network()


class Shrinking:
    """An id that shortens the list in which it stands, when it is read."""

    def __init__(self, *lists: list[Any]) -> None:
        self.lists = lists

    def __index__(self) -> int:
        for each in self.lists:
            each.clear()
        return 1


@pytest.mark.parametrize("wrong", [-1, V, 2**31, 2**32, 2**63, -(2**63), 2**80, np.int64(V)])
def test_ids_that_are_not_in_the_vocabulary_are_refused(wrong: int) -> None:
    logits = out(2)
    for reviews in ([[wrong], []], [[1], [1, 2, wrong]]):
        with pytest.raises(ValueError, match=f"token ids are from 0 to {V - 1}"):
            kernel.Network(**arguments()).logits(reviews, logits)
    assert not logits.any()


@pytest.mark.parametrize("reviews", [None, 5, [5], [None], [["a"]], [[1.0]], [[None]], ["ab"]])
def test_what_is_no_list_of_lists_of_ids_is_refused(reviews: Any) -> None:
    with pytest.raises(TypeError):
        kernel.Network(**arguments()).logits(reviews, out(1))


def test_lists_that_change_while_they_are_read_are_refused() -> None:
    network = kernel.Network(**arguments())
    review: list[Any] = [1, 2, 3]
    review[1] = Shrinking(review)
    with pytest.raises(IndexError):
        network.logits([review], out(1))
    reviews: list[Any] = [[1], [2], [3]]
    reviews[1] = [Shrinking(reviews)]
    with pytest.raises(IndexError):
        network.logits(reviews, out(3))
    inner: list[Any] = [0, 1]
    inner[0] = Shrinking(inner, outer := [inner])  # the list is kept alive while it is read
    del inner
    with pytest.raises(IndexError):
        network.logits(outer, out(1))


def test_ids_in_arrays_and_tuples_are_read() -> None:
    network, logits = kernel.Network(**arguments()), out(2)
    network.logits((np.array([3, 4]), (np.int32(5), True)), logits)
    expected = out(2)
    network.logits([[3, 4], [5, 1]], expected)
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize(
    "wrong",
    [
        *(out(1), out(3), out(2, C + 1), out(2, C, np.float64), np.zeros(2 * C, np.float32)),
        *(out(4)[::2], out(C, 2).T, b"0" * 8 * C, None),
    ],
)
def test_logits_that_there_is_no_place_for_are_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError, BufferError)):
        kernel.Network(**arguments()).logits([[1], [2]], wrong)


def test_logits_that_cannot_be_written_are_refused() -> None:
    logits = out(1)
    logits.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        kernel.Network(**arguments()).logits([[1]], logits)


def test_views_are_released() -> None:
    network, memory = kernel.Network(**arguments()), bytearray(C * 4)
    view = memoryview(memory).cast("f", (1, C))
    network.logits([[1]], view)
    with pytest.raises(ValueError, match="token ids"):
        network.logits([[V]], view)
    view.release()  # which it could not be while someone had a view of it
    memory.clear()


def test_a_network_keeps_its_embedding_and_lets_it_go() -> None:
    memory = bytearray(normal(V, E).tobytes())
    view = memoryview(memory).cast("f", (V, E))
    network = kernel.Network(**arguments(embedding=view))
    with pytest.raises(BufferError):
        view.release()
    first, second = out(1), out(1)
    network.logits([[1, 2]], first)
    kernel.Network(**arguments()).logits([[1, 2]], second)
    np.testing.assert_array_equal(first, second)
    del network
    gc.collect()
    view.release()
    memory.clear()
    memory = bytearray(4 * V * E)
    with pytest.raises(TypeError):
        kernel.Network(**arguments(embedding=memoryview(memory).cast("f", (V, E)), head=None))
    memory.clear()


def test_an_embedding_in_a_file_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "embedding"
    path.write_bytes(normal(V, E).tobytes())
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    embedding = np.frombuffer(content, np.float32).reshape(V, E)
    assert not embedding.flags.writeable
    logits, expected = out(1), out(1)
    kernel.Network(**arguments(embedding=embedding)).logits([[1, 2, 3] * 9], logits)
    kernel.Network(**arguments()).logits([[1, 2, 3] * 9], expected)
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40])
@pytest.mark.parametrize("gates", [3, 4])
def test_any_number_at_all_gives_some_number(gates: int, value: float) -> None:
    embedding = normal(V, E)
    embedding[1, 2] = value
    changes = {"cells": (cell(gates),), "directions": 1, "head": normal(C, H)}
    logits = out(2)
    kernel.Network(**arguments(embedding=embedding, **changes)).logits([[1], [2, 3]], logits)
    assert np.isfinite(logits[1]).all()  # of the other review
    assert np.isnan(logits[0]).all() or not np.isnan(value)


# --- whole networks ---

SHAPES = [*itertools.product(("gru", "lstm"), POOLINGS)]
each_shape = pytest.mark.parametrize(("architecture", "pooling"), SHAPES)


def network_of(architecture: str, pooling: str, hidden_size: int = 48) -> tuple[BundleConfig, Any]:
    config = config_of(
        architecture=architecture,
        pooling=pooling,
        hidden_size=hidden_size,
        embedding_dim=24,
        num_layers=2,
        bidirectional=True,
    )
    return config, random_tensors(config, scale=0.1)


def random_reviews(count: int = 137) -> list[list[int]]:
    generator = np.random.default_rng(0)
    lengths = generator.integers(0, 40, count)
    return [generator.integers(0, VOCAB_SIZE, length).tolist() for length in lengths]


def as_half(tensors: Any) -> Any:
    return {name: each.astype(np.float16).astype(np.float32) for name, each in tensors.items()}


def with_half_embedding(tensors: Any) -> Any:
    """As a bundle in float16 has it."""
    return tensors | {"embedding.weight": tensors["embedding.weight"].astype(np.float16)}


@each_shape
@pytest.mark.parametrize("hidden_size", [16, 48, 130])
@pytest.mark.parametrize("is_half", [False, True])
def test_the_logits_are_those_of_numpy(
    architecture: str, pooling: str, hidden_size: int, is_half: bool
) -> None:
    config, tensors = network_of(architecture, pooling, hidden_size)
    tensors = as_half(tensors) if is_half else tensors  # the kernel reads such weights from 16 bits
    reviews = random_reviews()
    expected = NumpyNetwork(config, tensors).logits(reviews)
    network = CompiledNetwork(config, with_half_embedding(tensors) if is_half else tensors)
    np.testing.assert_allclose(network.logits(reviews), expected, rtol=0, atol=1e-6)


@each_shape
def test_the_logits_of_a_token_many_times_are_those_of_numpy(
    architecture: str, pooling: str
) -> None:
    config, tensors = network_of(architecture, pooling, 16)
    tensors = {name: 4 * each for name, each in tensors.items()}
    tensors["ln1.weight"] /= np.abs(tensors["ln1.weight"]).sum()  # so that 1e-6 is a small part
    reviews = [[token] * length for token in (5, 7) for length in (300, 1_000, 20_000)]
    expected = NumpyNetwork(config, tensors).logits(reviews)
    network = CompiledNetwork(config, tensors)
    np.testing.assert_allclose(network.logits(reviews), expected, rtol=0, atol=1e-6)


def test_weights_of_every_size_that_float16_has_are_read_from_it() -> None:
    config, tensors = network_of("gru", "last", 16)
    name = config.encoder.cell_tensors[0][0][1]  # type: ignore[attr-defined]
    weight = tensors[name].ravel()
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    for some in np.split(every[np.abs(every) < 1], 60):
        weight[: len(some)] = some[: len(weight)]
        whole = tensors | {name: weight.reshape(tensors[name].shape)}
        expected = NumpyNetwork(config, as_half(whole)).logits([[1, 2, 3]])
        found = CompiledNetwork(config, as_half(whole)).logits([[1, 2, 3]])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("embedding_dim", [7, 37])
def test_a_float16_embedding_gives_the_bits_of_a_wide_one(embedding_dim: int) -> None:
    check_half_embedding(embedding_dim)


def check_half_embedding(embedding_dim: int) -> None:
    """Of every number that float16 has, the smallest, too, before and after there are tables."""
    config = config_of(architecture="gru", embedding_dim=embedding_dim)
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)]
    for start in range(0, len(every), VOCAB_SIZE * embedding_dim):
        half = np.resize(every[start:], (VOCAB_SIZE, embedding_dim))
        tensors = random_tensors(config)
        narrow = CompiledNetwork(config, tensors | {"embedding.weight": half})
        wide = CompiledNetwork(config, tensors | {"embedding.weight": half.astype(np.float32)})
        reviews = [[token] for token in range(VOCAB_SIZE)]
        assert not narrow.has_tables
        for some in (reviews[: VOCAB_SIZE // 2], reviews[VOCAB_SIZE // 2 :]):
            np.testing.assert_array_equal(narrow.logits(some), wide.logits(some))
        assert narrow.has_tables
        np.testing.assert_array_equal(narrow.logits(reviews), wide.logits(reviews))


@pytest.fixture
def small_numbers_are_zero() -> Iterator[None]:
    """As some programs and libraries have the processor read what float32 holds least precisely."""
    torch = pytest.importorskip("torch")
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no such mode")
    yield
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("small_numbers_are_zero")
def test_the_least_numbers_of_float16_are_not_lost_to_programs_that_need_none() -> None:
    check_half_embedding(7)


def test_more_reviews_than_a_call_takes_are_answered() -> None:
    config, tensors = network_of("gru", "last", 16)
    network, reviews = CompiledNetwork(config, tensors), random_reviews()
    together = network.logits(reviews * 130)
    np.testing.assert_array_equal(together, np.tile(network.logits(reviews), (130, 1)))
    assert network.logits([]).shape == (0, 2)


def test_long_reviews_are_answered_beside_short_ones() -> None:
    config, tensors = network_of("lstm", "attention", 16)
    network = CompiledNetwork(config, tensors)
    reviews = [[5] * length for length in (40_000, 20_000, 20_000, *[300] * 130, 1, 0)]
    alone = np.concatenate([network.logits([review]) for review in reviews])
    np.testing.assert_array_equal(network.logits(reviews), alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_network_works_in_a_fork() -> None:
    code = (
        "import os, sys; from nsmc import Predictor; p = Predictor.load()\n"
        "ids = [[5, 6], [7] * 9]\n"
        "expected = p.logits(ids).tolist(); child = os.fork()\n"
        "if not child: os._exit(p.logits(ids * 999)[:2].tolist() != expected)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to a limit of memory")
def test_tables_that_there_was_no_memory_for_are_tried_again_after_as_many_tokens() -> None:
    code = (
        "import resource, numpy as np; from nsmc.runtime import _kernel\n"
        "V, H, LIMIT = 200_000, 16, resource.RLIMIT_AS\n"
        "z = lambda *shape: np.zeros(shape, np.float32)\n"
        "cell = z(3 * H, 1), z(3 * H, H), z(3 * H), z(3 * H)\n"
        "network = _kernel.Network(embedding=z(V, 1), cells=(cell,), directions=1,\n"
        "    pooling='last', attention=None, head=z(2, H), bias=z(2))\n"
        "has_tables = lambda ids: (network.logits(ids, z(len(ids), 2)), network.has_tables())[1]\n"
        "everything, before = [[0] * 1_000] * (V // 1_000), resource.getrlimit(LIMIT)\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "room = pages * resource.getpagesize() + 3 * H * V * 2\n"  # half of what they take
        "resource.setrlimit(LIMIT, (room, before[1]))\n"
        "assert not has_tables(everything)\n"
        "resource.setrlimit(LIMIT, before)\n"
        "assert not has_tables([[0]])\n"
        "assert has_tables(everything)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


# --- other processors ---


@pytest.fixture(scope="module", params=PROCESSORS)
def for_another_processor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ModuleType:
    """The kernel as it runs on a processor without AVX-512, or with no vectors that it knows."""
    module = kernel_for(request.param, tmp_path_factory.mktemp("kernel"))
    if module is None:
        pytest.skip("there is no C compiler, or no Python.h")
    return module


@each_shape
@pytest.mark.parametrize("is_half", [False, True])
def test_every_processor_gives_the_same_numbers(
    architecture: str,
    pooling: str,
    is_half: bool,
    for_another_processor: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, tensors = network_of(architecture, pooling)
    tensors = as_half(tensors) if is_half else tensors
    reviews = random_reviews()
    expected = CompiledNetwork(config, tensors).logits(reviews)
    tensors = with_half_embedding(tensors) if is_half else tensors
    monkeypatch.setattr("nsmc.runtime.compiled._kernel", for_another_processor)
    network = CompiledNetwork(config, tensors)
    found = network.logits(reviews)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    alone = np.concatenate([network.logits([review]) for review in reviews])
    np.testing.assert_array_equal(alone, found)


@pytest.mark.parametrize("embedding_dim", [7, 37])
def test_every_processor_reads_a_float16_embedding(
    embedding_dim: int, for_another_processor: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsmc.runtime.compiled._kernel", for_another_processor)
    check_half_embedding(embedding_dim)
