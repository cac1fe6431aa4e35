"""The plainest server of a bundle in ONNX's form, to compare with: FastAPI and onnxruntime."""

import argparse
import json
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from tokenizers import Tokenizer
from uvicorn.supervisors import Multiprocess

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


def main() -> None:
    """Serve as `uvicorn tests.benchmarks.plain_server:app --no-access-log` does.

    But for its socket: uvicorn's own, with several workers, names no protocol, and asyncio then
    leaves each answer waiting 40 ms for an acknowledgement.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", options.port))
        listening.set_inheritable(True)
        served = "tests.benchmarks.plain_server:app"
        config = uvicorn.Config(served, workers=options.workers, access_log=False)
        if options.workers == 1:
            uvicorn.Server(config).run(sockets=[listening])
        else:
            Multiprocess(config, [listening]).run()


if __name__ == "__main__":
    main()
