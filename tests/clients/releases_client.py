"""Token ids as the runtime makes them, with whatever release of tokenizers there is.

Standard input: {"tokenizers": [path, …], "texts": path, "max_length": …}; standard output: for each
tokenizer the ids of each text; of the first also whether one text alone, threads, a fork and a
copy by pickle give the same. A fork may read a tokenizer again, or say that it cannot.
"""

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import tokenizers

from nsmc.runtime import tokenizer as module
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.tokenization import token_ids

THREADS = 4


def read_again(path, texts, max_length):
    try:
        return token_ids(read_tokenizer(path), texts, max_length)
    except RuntimeError as error:
        return str(error)


def ids_of(path, texts, max_length):
    return {"ids": token_ids(read_tokenizer(path), texts, max_length)}


def ids_in_all_ways(path, texts, max_length):
    tokenizer = read_tokenizer(path)
    ids = token_ids(tokenizer, texts, max_length)
    some = slice(None, None, 7)
    with ThreadPoolExecutor(THREADS) as pool:
        parts = [(tokenizer, texts[n::THREADS], max_length) for n in range(THREADS)]
        threads = list(pool.map(lambda part: token_ids(*part), parts))
    with get_context("fork").Pool(1) as processes:
        forked = processes.apply(token_ids, (tokenizer, texts[some], max_length))
        again = processes.apply(read_again, (path, texts[some], max_length))
    pickled = pickle.dumps(tokenizer)
    module._in_this_process.clear()  # as in another process
    copy = pickle.loads(pickled)
    return {
        "ids": ids,
        "alone": [token_ids(tokenizer, [text], max_length)[0] for text in texts[some]] == ids[some],
        "threads": all(ids[n::THREADS] == threads[n] for n in range(THREADS)),
        "fork": forked == ids[some],
        "read again": again == ids[some] or "read the bundle before the fork" in again,
        "pickle": token_ids(copy, texts[some], max_length) == ids[some],
    }


request = json.load(sys.stdin)
texts = json.loads(Path(request["texts"]).read_text(encoding="utf-8"))
first, *others = map(Path, request["tokenizers"])
answers = [ids_in_all_ways(first, texts, request["max_length"])]
answers += [ids_of(path, texts, request["max_length"]) for path in others]
json.dump({"version": tokenizers.__version__, "answers": answers}, sys.stdout)
