"""The recurrence of a GRU and an LSTM layer, for one review or for many at once.

Weights come in PyTorch's layout and are rearranged once, at load, so that a step is one matrix
product and a few element-wise operations. The equations are those of
`torch.nn.GRU` and `torch.nn.LSTM` (https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html);
a sigmoid 1 / (1 + exp(-a)) enters as a division by 1 + exp(a), its weights being negated.

Where the package was built with a C compiler, `_kernel` does the same, several times as fast:
numpy's calls take longer than their arithmetic.

Legend: N tokens of all reviews, packed as `packing` has them, T steps, B reviews, D input width,
H hidden size, G gates x H.
"""

import numpy as np

from nsmc.runtime.packing import Array, IntArray, Packed

# Our order of PyTorch's gates r, z, n and i, f, g, o: the last one is a tanh, all others sigmoids.
GATES = {"gru": (0, 1, 2), "lstm": (0, 1, 3, 2)}


class Cell:
    """A GRU or an LSTM layer in one direction.

    Its weights are as PyTorch and candle store them: [G, D], [G, H], [G] and [G].
    """

    def __init__(
        self, name: str, weight_ih: Array, weight_hh: Array, bias_ih: Array, bias_hh: Array
    ) -> None:
        gates, width = list(GATES[name]), weight_hh.shape[1]

        def arranged(weight: Array) -> Array:
            """Gates in our order, sigmoids negated."""
            by_gate = weight.reshape(len(gates), width, *weight.shape[1:])[gates]
            by_gate[:-1] *= -1
            return by_gate.reshape(weight.shape)

        self.hidden_size = width
        self.input_weight = np.ascontiguousarray(arranged(weight_ih).T)  # [D, G]
        self.hidden_weight = np.ascontiguousarray(arranged(weight_hh).T)  # [H, G]
        bias_ih, bias_hh = arranged(bias_ih), arranged(bias_hh)
        self.hidden_bias: Array | None = None
        if name == "gru":  # r multiplies the new gate's bias
            self.hidden_bias = bias_hh[-width:].copy()  # [H]
            bias_hh[-width:] = 0
        self.input_bias = bias_ih + bias_hh  # [G]
        self.sigmoids = len(bias_ih) - width  # how many of G
        self.one = np.ones(self.sigmoids, np.float32)  # adds faster than the scalar 1

    def project(self, inputs: Array) -> Array:
        """What the inputs [..., D] contribute to the gates: [..., G]."""
        projected = inputs @ self.input_weight
        projected += self.input_bias
        return projected

    def run(
        self, inputs: Array, source: IntArray, packed: Packed, target: IntArray | None = None
    ) -> Array:
        """Read packed reviews; return their states after the last token [B, hidden size].

        Token n is row `source[n]` of the projected `inputs` [R, G]. Where `target` [N] is given,
        the states after all tokens [N, hidden size] are returned: that after token n is row
        `target[n]`.
        """
        state = np.zeros((len(packed.lengths), self.hidden_size), np.float32)
        memory = None if self.hidden_bias is not None else np.zeros_like(state)
        outputs = None if target is None else np.empty((len(source), self.hidden_size), np.float32)
        self._step_through(inputs[source], packed.active, state, memory, outputs, target)
        return state if outputs is None else outputs

    def _step_through(
        self,
        inputs: Array,
        active: IntArray,
        state: Array,
        memory: Array | None,
        outputs: Array | None,
        target: IntArray | None,
    ) -> None:
        """The steps of `inputs` [N, G], in place: into the state, the memory and the outputs."""
        step = _gru_step if memory is None else _lstm_step
        second = np.empty_like(state) if memory is None else memory
        gates = np.empty((len(state), inputs.shape[1]), np.float32)
        num_gates = inputs.shape[1] // state.shape[1]
        start, running = 0, -1
        with np.errstate(over="ignore"):  # exp may reach infinity: that sigmoid is 0, as it should
            for count in active.tolist():
                if count != running:  # views are cut once for many steps
                    running = count
                    sigmoids = gates[:count, : self.sigmoids]
                    parts = np.split(gates[:count], num_gates, axis=-1)
                    views = state[:count], second[:count], gates[:count], sigmoids, *parts
                step(self, inputs[start : start + count], *views)
                if outputs is not None and target is not None:
                    outputs[target[start : start + count]] = state[:count]
                start += count


def _gru_step(cell: Cell, x: Array, *views: Array) -> None:
    """Read one projected token of each review, x [B, G], into the states h [B, H].

    r = sigmoid(x_r + h W_r), z = sigmoid(x_z + h W_z), n = tanh(x_n + r * (h W_n + b_n)),
    h' = n + z * (h - n).
    """
    h, new, gates, sigmoids, r, z, n = views
    width = cell.sigmoids
    np.dot(h, cell.hidden_weight, out=gates)
    np.add(sigmoids, x[..., :width], out=sigmoids)
    np.exp(sigmoids, out=sigmoids)
    np.add(sigmoids, cell.one, out=sigmoids)  # now r and z hold 1 / r and 1 / z
    np.add(n, cell.hidden_bias, out=n)  # type: ignore[arg-type]
    np.divide(n, r, out=n)
    np.add(n, x[..., width:], out=n)
    np.tanh(n, out=new)
    np.subtract(h, new, out=h)
    np.divide(h, z, out=h)
    np.add(h, new, out=h)


def _lstm_step(cell: Cell, x: Array, *views: Array) -> None:
    """The same into the states h and the memory c [B, H].

    c' = f * c + i * g, h' = o * tanh(c'), where i, f, o are sigmoids and g is a tanh of x + h W.
    """
    h, c, gates, sigmoids, i, f, o, g = views
    np.dot(h, cell.hidden_weight, out=gates)
    np.add(gates, x, out=gates)
    np.exp(sigmoids, out=sigmoids)
    np.add(sigmoids, cell.one, out=sigmoids)  # now i, f and o hold 1 / i, 1 / f and 1 / o
    np.tanh(g, out=g)
    np.divide(g, i, out=g)
    np.divide(c, f, out=c)
    np.add(c, g, out=c)
    np.tanh(c, out=h)
    np.divide(h, o, out=h)
