"""Reads a bundle with candle: its own safetensors reader and tensor operations, nothing of nsmc.

Standard input: {"bundle": folder, "ids": [[…], …]}; standard output: the logits, [[…], …].
"""

import json
import sys
from pathlib import Path

import candle

request = json.load(sys.stdin)
bundle = Path(request["bundle"])
config = json.loads((bundle / "config.json").read_text(encoding="utf-8"))
weights = candle.utils.load_safetensors(str(bundle / "nsmc.safetensors"))
cell, hidden = config["architecture"], config["hidden_size"]


def sigmoid(x):
    return ((x * -1.0).exp() + 1.0).recip()


def tanh(x):
    return sigmoid(x * 2.0) * 2.0 - 1.0


def linear(x, weight, bias):
    return x.matmul(weights[weight].t().contiguous()).broadcast_add(weights[bias])


def gate(x, number):
    return x.narrow(1, number * hidden, hidden)


def gru_step(x, h):
    x = linear(x, "gru.weight_ih_l0", "gru.bias_ih_l0")
    u = linear(h, "gru.weight_hh_l0", "gru.bias_hh_l0")
    r, z = (sigmoid(gate(x, number) + gate(u, number)) for number in (0, 1))
    n = tanh(gate(x, 2) + r * gate(u, 2))
    return n - z * n + z * h


def lstm_step(x, h, c):
    gates = linear(x, "lstm.weight_ih_l0", "lstm.bias_ih_l0")
    gates = gates + linear(h, "lstm.weight_hh_l0", "lstm.bias_hh_l0")
    i, f, o = (sigmoid(gate(gates, number)) for number in (0, 1, 3))
    c = f * c + i * tanh(gate(gates, 2))
    return o * tanh(c), c


def logits(ids):
    h = c = candle.zeros((1, hidden))
    if ids:
        rows = candle.Tensor(ids).to_dtype(candle.u32)
        embedded = weights["embedding.weight"].index_select(rows, 0)
        for token in range(len(ids)):
            x = embedded.narrow(0, token, 1)
            if cell == "gru":
                h = gru_step(x, h)
            else:
                h, c = lstm_step(x, h, c)
    return linear(h, "ln1.weight", "ln1.bias").values()[0]


json.dump([logits(ids) for ids in request["ids"]], sys.stdout)
