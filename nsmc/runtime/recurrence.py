"""The recurrence of a GRU and an LSTM layer in numpy, for one review or for many at once.

Weights come in PyTorch's layout and are rearranged once, at load, so that a step is one matrix
product and a few element-wise operations on preallocated arrays. The equations are those of
`torch.nn.GRU` and `torch.nn.LSTM` (https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html);
a sigmoid 1 / (1 + exp(-a)) enters as a division by 1 + exp(a), its weights being negated.

Legend: T tokens, B reviews (absent for a single review), D input width, H hidden size, G gates x H.
"""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class DirectionWeights(NamedTuple):
    """One layer's weights in one direction, as PyTorch and candle store them."""

    weight_ih: Array  # [G, D]
    weight_hh: Array  # [G, H]
    bias_ih: Array  # [G]
    bias_hh: Array  # [G]


class Cell(Protocol):
    """What differs between a GRU and an LSTM: the arrangement of the gates and the step."""

    gates: int
    hidden_size: int
    input_weight: Array  # [D, G]
    input_bias: Array  # [G]

    def views(self, gates: Array, state: Array, scratch: Array) -> tuple[Array, ...]:
        """The parts of the working arrays that `step` uses, cut once for many steps."""
        ...

    def step(self, x: Array, *views: Array) -> None:
        """Read one projected token x [(B,) G] into the state."""
        ...


class GRU:
    """Gates in PyTorch's order reset, update, new.

    r = sigmoid(x_r + h W_r), z = sigmoid(x_z + h W_z), n = tanh(x_n + r * (h W_n + b_n)),
    h' = n + z * (h - n).
    """

    gates = 3

    def __init__(self, weights: DirectionWeights) -> None:
        self.hidden_size = weights.weight_hh.shape[1]
        self.sigmoids = 2 * self.hidden_size
        sign = np.ones(len(weights.bias_hh), dtype=np.float32)
        sign[: self.sigmoids] = -1
        bias = weights.bias_ih.copy()
        bias[: self.sigmoids] += weights.bias_hh[: self.sigmoids]
        self.input_weight = np.ascontiguousarray((weights.weight_ih * sign[:, None]).T)
        self.input_bias = bias * sign
        self.hidden_weight = np.ascontiguousarray((weights.weight_hh * sign[:, None]).T)
        self.hidden_bias = weights.bias_hh[self.sigmoids :].copy()  # b_n, which r multiplies
        self.one = np.ones(self.sigmoids, dtype=np.float32)  # adds faster than the scalar 1

    def views(self, gates: Array, state: Array, scratch: Array) -> tuple[Array, ...]:
        r, z, n = np.split(gates, 3, axis=-1)
        return gates, gates[..., : self.sigmoids], r, z, n, state, scratch

    def step(self, x: Array, *views: Array) -> None:
        gates, sigmoids, r, z, n, h, new = views
        np.dot(h, self.hidden_weight, out=gates)
        np.add(sigmoids, x[..., : self.sigmoids], out=sigmoids)
        np.exp(sigmoids, out=sigmoids)
        np.add(sigmoids, self.one, out=sigmoids)  # now r and z hold 1 / r and 1 / z
        np.add(n, self.hidden_bias, out=n)
        np.divide(n, r, out=n)
        np.add(n, x[..., self.sigmoids :], out=n)
        np.tanh(n, out=new)
        np.subtract(h, new, out=h)
        np.divide(h, z, out=h)
        np.add(h, new, out=h)


class LSTM:
    """PyTorch's gates input, forget, cell, output; here i, f, o stand together and g comes last.

    c' = f * c + i * g, h' = o * tanh(c'), where i, f, o are sigmoids and g is a tanh of x + h W.
    """

    gates = 4

    def __init__(self, weights: DirectionWeights) -> None:
        self.hidden_size = weights.weight_hh.shape[1]
        self.sigmoids = 3 * self.hidden_size
        i, f, g, o = np.arange(len(weights.bias_hh)).reshape(4, self.hidden_size)
        order = np.concatenate([i, f, o, g])
        sign = np.ones(len(order), dtype=np.float32)
        sign[: self.sigmoids] = -1
        self.input_weight = np.ascontiguousarray((weights.weight_ih[order] * sign[:, None]).T)
        self.input_bias = (weights.bias_ih + weights.bias_hh)[order] * sign
        self.hidden_weight = np.ascontiguousarray((weights.weight_hh[order] * sign[:, None]).T)
        self.one = np.ones(self.sigmoids, dtype=np.float32)

    def views(self, gates: Array, state: Array, scratch: Array) -> tuple[Array, ...]:
        i, f, o, g = np.split(gates, 4, axis=-1)
        return gates, gates[..., : self.sigmoids], i, f, o, g, state, scratch

    def step(self, x: Array, *views: Array) -> None:
        gates, sigmoids, i, f, o, g, h, c = views
        np.dot(h, self.hidden_weight, out=gates)
        np.add(gates, x, out=gates)
        np.exp(sigmoids, out=sigmoids)
        np.add(sigmoids, self.one, out=sigmoids)  # now i, f and o hold 1 / i, 1 / f and 1 / o
        np.tanh(g, out=g)
        np.divide(g, i, out=g)
        np.divide(c, f, out=c)
        np.add(c, g, out=c)
        np.tanh(c, out=h)
        np.divide(h, o, out=h)


CELLS: dict[str, type[GRU] | type[LSTM]] = {"gru": GRU, "lstm": LSTM}


def project(cell: Cell, inputs: Array) -> Array:
    """What the inputs [..., D] contribute to the gates: [..., G]."""
    return inputs @ cell.input_weight + cell.input_bias


def run(
    cell: Cell, inputs: Array, active: list[int] | None = None, outputs: Array | None = None
) -> Array:
    """Read projected inputs [T, (B,) G]; return the states [(B,) H] after each last token.

    `active[t]` says how many of B reviews have a token t: they stand in order of length, the
    longest first. Where `outputs` [T, (B,) H] is given, the states after every token go there.
    """
    shape = inputs.shape[1:-1]
    gates = np.empty((*shape, cell.gates * cell.hidden_size), dtype=np.float32)
    state = np.zeros((*shape, cell.hidden_size), dtype=np.float32)
    scratch = np.zeros_like(state)  # the LSTM's memory, the GRU's new gate
    views = cell.views(gates, state, scratch)
    count = shape[0] if shape else 0
    for t, x in enumerate(inputs):
        if active is not None:
            if active[t] != count:
                count = active[t]
                views = cell.views(gates[:count], state[:count], scratch[:count])
            x = x[:count]
        cell.step(x, *views)
        if outputs is not None and active is None:
            outputs[t] = state
        elif outputs is not None:
            outputs[t, :count] = state[:count]
    return state
