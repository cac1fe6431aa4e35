"""The recurrence against torch.nn.GRU and torch.nn.LSTM, which it promises to equal.

That in numpy: test_predictor.py has the compiled one, in whole classifiers.

Legend: T tokens, B reviews, D input width, H hidden size.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nsmc.runtime.packing import Array, pack
from nsmc.runtime.recurrence import GATES, Cell

TORCH_CELLS: dict[str, type[nn.GRU] | type[nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}
TOLERANCE = 1e-5

each_cell = pytest.mark.parametrize("name", sorted(GATES))


def twins(
    name: str, inputs: int, hidden: int, seed: int, scale: float = 1.0
) -> tuple[Cell, nn.GRU | nn.LSTM]:
    """A numpy cell and torch's layer with the same random weights, a normal of width `scale`."""
    generator = torch.Generator().manual_seed(seed)
    layer = TORCH_CELLS[name](inputs, hidden)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, scale, generator=generator)
    arrays = [
        layer.get_parameter(f"{field}_l0").detach().numpy().copy()
        for field in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    return Cell(name, *arrays), layer


def calm(hidden: int) -> float:
    """A width of weights at which a rounding error does not grow from step to step."""
    return float(min(1.0, 2 / np.sqrt(hidden)))


def torch_run(layer: nn.GRU | nn.LSTM, inputs: Array) -> tuple[Array, Array]:
    """Outputs [T, H] and final state [H] of one review [T, D], by torch."""
    with torch.inference_mode():
        outputs, final = layer(torch.from_numpy(inputs))
    state: Tensor = final[0] if isinstance(final, tuple) else final
    return outputs.numpy(), state[0].numpy()


def read(cell: Cell, batch: Array, lengths: list[int] | None = None) -> tuple[Array, Array]:
    """Final states [B, H] and outputs [T, B, H] of a batch [T, B, D], by default of full length."""
    packed = pack([[0] * length for length in lengths or [len(batch)] * batch.shape[1]])
    inputs, rows = cell.project(batch[packed.is_token()]), packed.forward()
    outputs = np.zeros((*batch.shape[:2], cell.hidden_size), np.float32)
    outputs[packed.is_token()] = cell.run(inputs, rows, packed, target=rows)
    return cell.run(inputs, rows, packed), outputs


def normal(shape: tuple[int, ...], seed: int, scale: float = 1.0) -> Array:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


@each_cell
@settings(deadline=None, max_examples=40)
@given(
    tokens=st.integers(1, 12),
    inputs=st.integers(1, 6),
    hidden=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_one_review_is_read_as_by_torch(
    name: str, tokens: int, inputs: int, hidden: int, seed: int
) -> None:
    cell, layer = twins(name, inputs, hidden, seed, calm(hidden))
    review = normal((tokens, inputs), seed)
    expected_outputs, expected_state = torch_run(layer, review)
    states, outputs = read(cell, review[:, None])
    np.testing.assert_allclose(outputs[:, 0], expected_outputs, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(states[0], expected_state, rtol=0, atol=TOLERANCE)


@each_cell
@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    hidden=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_a_batch_of_unequal_lengths_is_read_as_each_review_alone_by_torch(
    name: str, lengths: list[int], hidden: int, seed: int
) -> None:
    lengths = sorted(lengths, reverse=True)
    cell, layer = twins(name, 4, hidden, seed, calm(hidden))
    batch = normal((lengths[0], len(lengths), 4), seed)  # behind a review's end: more noise
    states, outputs = read(cell, batch, lengths)
    for row, length in enumerate(lengths):
        expected_outputs = np.zeros((0, hidden), np.float32)
        expected_state = np.zeros(hidden, np.float32)
        if length:
            expected_outputs, expected_state = torch_run(layer, batch[:length, row].copy())
        found = outputs[:length, row]
        np.testing.assert_allclose(found, expected_outputs, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(states[row], expected_state, rtol=0, atol=TOLERANCE)


@each_cell
@pytest.mark.parametrize("hidden", [16, 130])
def test_larger_sizes(name: str, hidden: int) -> None:
    cell, layer = twins(name, 8, hidden, seed=1, scale=0.2)
    batch = normal((5, 14, 8), seed=2)
    states, outputs = read(cell, batch)
    for row in range(batch.shape[1]):
        expected_outputs, expected_state = torch_run(layer, batch[:, row].copy())
        np.testing.assert_allclose(outputs[:, row], expected_outputs, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(states[row], expected_state, rtol=0, atol=TOLERANCE)


@each_cell
def test_no_token_leaves_the_state_at_zero(name: str) -> None:
    cell, _ = twins(name, 4, 5, seed=1)
    for reviews in (0, 1, 2):
        states, outputs = read(cell, normal((0, reviews, 4), 0))
        assert states.shape == (reviews, 5) and outputs.shape == (0, reviews, 5)
        assert not states.any()


@each_cell
@pytest.mark.parametrize("scale", [30.0, 1e4, 1e12])
def test_saturated_gates_give_torch_s_numbers_without_nan_or_warnings(
    name: str, scale: float
) -> None:
    # Gates of a magnitude at which exp overflows in both directions; the warnings are errors here,
    # except for exp reaching infinity, which is the sigmoid 0.
    cell, layer = twins(name, 4, 6, seed=3, scale=scale)
    batch = normal((8, 5, 4), seed=4)
    with np.errstate(all="raise", under="ignore"):
        states, outputs = read(cell, batch)
    for row in range(5):
        expected_outputs, expected_state = torch_run(layer, batch[:, row].copy())
        np.testing.assert_allclose(outputs[:, row], expected_outputs, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(states[row], expected_state, rtol=0, atol=TOLERANCE)


@each_cell
def test_a_cell_remembers_nothing_between_reviews(name: str) -> None:
    cell, _ = twins(name, 4, 5, seed=5)
    review, other = normal((7, 1, 4), seed=6), normal((9, 1, 4), seed=7)
    first, _ = read(cell, review)
    kept = first.copy()
    read(cell, other)
    np.testing.assert_array_equal(first, kept)  # the caller's result is the caller's
    np.testing.assert_array_equal(read(cell, review)[0], kept)


@each_cell
def test_building_a_cell_leaves_the_weights_alone(name: str) -> None:
    arrays = [normal(shape, seed=8) for shape in ((12, 2), (12, 3), (12,), (12,))]
    if name == "gru":
        arrays = [array[:9] for array in arrays]
    kept = [array.copy() for array in arrays]
    Cell(name, *arrays)
    for array, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(array, before)
