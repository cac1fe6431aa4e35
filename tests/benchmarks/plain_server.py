"""The plainest server of a bundle in ONNX's form, to compare with: FastAPI and onnxruntime."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from fastapi import FastAPI
from tokenizers import Tokenizer

folder = Path(os.environ["PLAIN_BUNDLE"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(str(folder / "nsmc.onnx"), options)
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
config = json.loads((folder / "config.json").read_text("utf-8"))
app = FastAPI()


@app.post("/predict")
def predict(question: dict[str, list[str]]) -> dict[str, Any]:
    encoded = tokenizer.encode_batch(question["texts"], add_special_tokens=False)
    reviews = [encoding.ids[: config["max_length"]] for encoding in encoded]
    lengths = np.array([len(review) for review in reviews], np.int32)
    ids = np.zeros((len(reviews), int(lengths.max(initial=1))), np.int64)
    for row, review in zip(ids, reviews, strict=True):
        row[: len(review)] = review
    (probabilities,) = session.run(None, {"token_ids": ids, "lengths": lengths})
    labels = config["labels"]
    return {
        "answers": [
            {"label": labels[int(row.argmax())], "probabilities": row.tolist()}
            for row in probabilities
        ]
    }
