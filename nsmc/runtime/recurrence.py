"""The recurrence of a GRU and an LSTM layer, for one review or for many at once.

Weights come in PyTorch's layout and are rearranged once, at load, so that a step is one matrix
product and a few element-wise operations. The equations are those of
`torch.nn.GRU` and `torch.nn.LSTM` (https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html);
a sigmoid 1 / (1 + exp(-a)) enters as a division by 1 + exp(a), its weights being negated.

A step is written here in numpy. Where the package was built with a C compiler, `_kernel` does the
same, several times as fast: numpy's calls take longer than their arithmetic.

Legend: N tokens of all reviews, packed as `packing` has them, T steps, B reviews, D input width,
H hidden size, G gates x H.
"""

import os
from typing import NamedTuple, Protocol

import numpy as np

from nsmc.runtime.packing import Array, IntArray

try:
    from nsmc.runtime import _kernel
except ImportError:  # built without a compiler
    HAS_KERNEL = False
else:
    HAS_KERNEL = os.environ.get("NSMC_KERNEL") != "numpy"

# The hidden size is filled up with zeros to a multiple of this: the kernel computes in vectors.
# What is added stays zero in every step, and no real number depends on it.
_LANES = 16
_PANEL = 64  # columns of the weights that the kernel has together


class DirectionWeights(NamedTuple):
    """One layer's weights in one direction, as PyTorch and candle store them."""

    weight_ih: Array  # [G, D]
    weight_hh: Array  # [G, H]
    bias_ih: Array  # [G]
    bias_hh: Array  # [G]


class Cell(Protocol):
    """What differs between a GRU and an LSTM: the arrangement of the gates and the step."""

    gates: int
    hidden_size: int  # that of the weights; H is it, filled up
    input_weight: Array  # [D, G]
    input_bias: Array  # [G]
    hidden_weight: Array  # [H, G]
    hidden_bias: Array | None  # [H], of a GRU
    panels: Array  # the hidden weight for the kernel

    def views(self, gates: Array, state: Array, scratch: Array) -> tuple[Array, ...]:
        """The parts of the working arrays that `step` uses, cut once for many steps."""
        ...

    def step(self, x: Array, *views: Array) -> None:
        """Read one projected token of each review, x [B, G], into the state."""
        ...


class GRU:
    """Gates in PyTorch's order reset, update, new.

    r = sigmoid(x_r + h W_r), z = sigmoid(x_z + h W_z), n = tanh(x_n + r * (h W_n + b_n)),
    h' = n + z * (h - n).
    """

    gates = 3

    def __init__(self, weights: DirectionWeights) -> None:
        self.hidden_size = weights.weight_hh.shape[1]
        weights = _filled(weights, self.gates)
        self.sigmoids = 2 * weights.weight_hh.shape[1]
        sign = np.ones(len(weights.bias_hh), dtype=np.float32)
        sign[: self.sigmoids] = -1
        bias = weights.bias_ih.copy()
        bias[: self.sigmoids] += weights.bias_hh[: self.sigmoids]
        self.input_weight = np.ascontiguousarray((weights.weight_ih * sign[:, None]).T)
        self.input_bias = bias * sign
        self.hidden_weight = np.ascontiguousarray((weights.weight_hh * sign[:, None]).T)
        self.hidden_bias: Array | None = weights.bias_hh[self.sigmoids :].copy()  # b_n
        self.panels = _panels(self.hidden_weight)
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
        np.add(n, self.hidden_bias, out=n)  # type: ignore[arg-type]
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
        weights = _filled(weights, self.gates)
        self.sigmoids = 3 * weights.weight_hh.shape[1]
        i, f, g, o = np.arange(len(weights.bias_hh)).reshape(4, -1)
        order = np.concatenate([i, f, o, g])
        sign = np.ones(len(order), dtype=np.float32)
        sign[: self.sigmoids] = -1
        self.input_weight = np.ascontiguousarray((weights.weight_ih[order] * sign[:, None]).T)
        self.input_bias = (weights.bias_ih + weights.bias_hh)[order] * sign
        self.hidden_weight = np.ascontiguousarray((weights.weight_hh[order] * sign[:, None]).T)
        self.hidden_bias: Array | None = None
        self.panels = _panels(self.hidden_weight)
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


def _filled(weights: DirectionWeights, gates: int) -> DirectionWeights:
    """The weights with the hidden size filled up to a multiple of `_LANES`."""
    hidden_size = weights.weight_hh.shape[1]
    missing = -hidden_size % _LANES

    def fill(weight: Array, *more: tuple[int, int]) -> Array:
        of_gates = weight.reshape(gates, hidden_size, *weight.shape[1:])
        filled = np.pad(of_gates, ((0, 0), (0, missing), *more))
        return filled.reshape(-1, *filled.shape[2:])

    return DirectionWeights(
        fill(weights.weight_ih, (0, 0)),
        fill(weights.weight_hh, (0, missing)),
        fill(weights.bias_ih),
        fill(weights.bias_hh),
    )


def _panels(weight: Array) -> Array:
    """A weight [H, G] as [G / _PANEL, H, _PANEL], the last panel filled up with zeros."""
    filled = np.pad(weight, ((0, 0), (0, -weight.shape[1] % _PANEL)))
    return np.ascontiguousarray(filled.reshape(len(weight), -1, _PANEL).transpose(1, 0, 2))


def project(cell: Cell, inputs: Array) -> Array:
    """What the inputs [..., D] contribute to the gates: [..., G]."""
    projected = inputs @ cell.input_weight
    projected += cell.input_bias
    return projected


def run(
    cell: Cell,
    inputs: Array,
    source: IntArray,
    active: IntArray,
    count: int,
    target: IntArray | None = None,
) -> tuple[Array, Array | None]:
    """Read the tokens of `count` reviews; return their states [B, hidden size] after the last.

    The token in place n is row `source[n]` of the projected `inputs` [R, G]. Where `target` [N] is
    given, the states after every token [N, hidden size] are returned, too: that after the token in
    place n is row `target[n]`. `active` [T] says how many reviews have a token at each step.
    """
    width = cell.hidden_weight.shape[0]
    state = np.zeros((count, width), dtype=np.float32)
    memory = None if cell.hidden_bias is not None else np.zeros_like(state)
    outputs = None if target is None else np.empty((len(source), width), dtype=np.float32)
    if HAS_KERNEL:
        weights = cell.panels, cell.hidden_bias
        _kernel.run(inputs, source, active, *weights, state, memory, outputs, target)
    else:
        _run_in_numpy(cell, inputs[source], active, state, memory, outputs, target)
    outputs = None if outputs is None else outputs[:, : cell.hidden_size]
    return state[:, : cell.hidden_size], outputs


def _run_in_numpy(
    cell: Cell,
    inputs: Array,
    active: IntArray,
    state: Array,
    memory: Array | None,
    outputs: Array | None,
    target: IntArray | None,
) -> None:
    """The steps of `inputs` [N, G], in place: into the state, the memory and the outputs."""
    gates = np.empty((len(state), inputs.shape[1]), dtype=np.float32)
    scratch = np.empty_like(state) if memory is None else memory
    start, running = 0, -1
    with np.errstate(over="ignore"):  # exp may reach infinity: that sigmoid is 0, as it should be
        for count in active.tolist():
            if count != running:
                running = count
                views = cell.views(gates[:count], state[:count], scratch[:count])
            cell.step(inputs[start : start + count], *views)
            if outputs is not None and target is not None:
                outputs[target[start : start + count]] = state[:count]
            start += count
