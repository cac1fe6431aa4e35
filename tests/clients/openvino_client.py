"""Runs `nsmc.onnx` in OpenVINO, which has an implementation of its own of ONNX's operators.

Standard input: [{"model": path, "batches": [{"token_ids": [[…], …], "lengths": […]}, …]}, …], where
the rows of a batch are padded; standard output: the probabilities of each batch of each model.
"""

import json
import sys

import numpy as np
import openvino

# On processors that can, OpenVINO computes in bfloat16 unless it is told otherwise.
PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}


def probabilities(model, batch):
    lengths = np.array(batch["lengths"], dtype=np.int32)
    tokens = len(batch["token_ids"][0]) if len(lengths) else 0
    token_ids = np.array(batch["token_ids"], dtype=np.int64).reshape(len(lengths), tokens)
    return model([token_ids, lengths])[0].tolist()


core = openvino.Core()
found = []
for request in json.load(sys.stdin):
    model = core.compile_model(request["model"], "CPU", PRECISION)
    found.append([probabilities(model, batch) for batch in request["batches"]])
json.dump(found, sys.stdout)
