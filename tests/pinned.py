"""Trains small runs of every kind and prints their results: `python -m tests.pinned [--write]`.

A refactoring, such as a moved module or a renamed key, must not change any of these results:
weights, tokenizers, soft labels, logits and metrics. `--write` stores them in tests/pinned.json,
which tests/test_pinned.py compares with; use it only when results are meant to change.

This file knows only what a user knows: train.py and the settings below, the files in a run's
folder, and nsmc.Predictor.
"""

import argparse
import hashlib
import json
import os
import platform
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

import nsmc
from nsmc.runtime.tokenizer_file import portable
from tests.commands import run, started, wait_for

PINS = Path(__file__).with_suffix(".json")
LIBRARIES = ("torch", "numpy", "tokenizers", "scipy", "scikit-learn")

COMMON = """
    data=sample data.vocab_size=600 data.max_length=40 data.batch_size=32 data.split_seed=0
    data.cache_dir={runs}/cache hydra.run.dir={runs}/{name} logger=none
    model.embedding_dim=12 model.hidden_size=16 model.lr=0.03
    callbacks.checkpoint.every_n_minutes=null
    trainer.accelerator=cpu trainer.threads=1 trainer.limit_train_batches=24 trainer.max_epochs=2
"""
UNLABELLED = "data.unlabelled=true data.unlabelled_file={runs}/unlabelled.txt"
WHOLE = "model=gru model.embedding_rank=8 trainer.limit_train_batches=6 trainer.max_epochs=12"
# Each run, after those that it builds on.
RUNS = {
    "gru": WHOLE,
    "resumed": WHOLE,
    "lstm": """
        model=lstm model.num_layers=2 model.bidirectional=true model.pooling=attention
        model.dropout=0.1 model.word_dropout=0.1 model.recurrent_dropout=0.1
        model.label_smoothing=0.1 model.adversarial=adversarial model.schedule=cosine model.lr=0.02
        data.normalization=nfd data.bpe_dropout=0.1 data.bucketing=false data.padding=fixed
        callbacks.averaging.decay=0.9 callbacks.checkpoint.monitor=val/loss
    """,
    "encoder": f"experiment=pretrain model.bidirectional=true model.num_sampled=64 {UNLABELLED}",
    "teacher": """
        init_from={runs}/encoder model.bidirectional=true model.pooling=max_mean
        model.r_drop=0.5 callbacks.checkpoint.monitor=val/loss
    """,
    "linear": f"experiment=linear data.normalization=nfd linear.ngram_max=3 test=true {UNLABELLED}",
    "student": f"""
        experiment=distill distill.teachers=[{{runs}}/teacher,{{runs}}/linear]
        distill.temperature=2.0 model.adversarial=virtual data.bpe_dropout=0.1 {UNLABELLED}
    """,
}
KILLED, KILLED_AT = "resumed", "epoch 2/"

LINES = """\
정말 재미있게 봤습니다. 배우들 연기가 훌륭해요!
시간이 아까운 영화였다...
최고의 영화, 또 보고 싶다
최악. 돈이 아깝다
별로
재미없지 않다
재미있지 않다
기대했는데 기대 이하였고, 배우가 아까웠다
ㅋㅋㅋㅋㅋㅋ 이게 뭐야 ㅠㅠ
ㅎㅎ
ㅏㅑㅓㅕ ㄱㄴㄷ
굿굿굿굿굿굿굿굿굿굿굿굿굿굿굿굿굿굿굿굿
뷁쉛뙑 꿻
"따옴표"로 시작하는 리뷰
<pad> 는 토큰이 아니라 글자입니다
</s> [UNK] <|endoftext|>
Great movie!! 10/10
GREAT MOVIE, great Movie
映画は最高でした。
电影很好看，非常感人
фильм отличный
فيلم رائع جدا
ﾊﾝｶｸ １２３ ⅷ ㈜ ™
ﬁne ﬂow ½ ² ①
😍👍🏽
👨‍👩‍👧‍👦 가족 영화 🇰🇷
평점 9.5점, 2012년 12월 31일 1,000,000원
http://example.com/?a=1&b=2#c
0
.
!?!?!?!?
......................................................
~^^~ ♥♡♥ ★★★★☆
C:\\temp\\new {a: [1, 2]} 'b' `c` $d
안녕ABC안녕123안녕!?안녕
붙여쓰기만한아주긴문장이라서띄어쓰기가하나도없는데도읽을수있는영화평입니다
띄 어 쓰 기 만 한 문 장
""".splitlines()
TEXTS = [
    *LINES,
    *("", " ", "\n", "\t \r\n", "  앞뒤에 빈칸이 있는 리뷰  \n", "줄이\n바뀌고\t탭도 있는 리뷰"),
    *("e\u0301 와 \u1100\u1161: 풀어 쓴 글자", "\u3000전각\u00a0빈칸\u2028줄\u0085", "\ufeff표시"),
    *("\u200b\u200d\ufe0f", "\0\x01\x1b[31m\x7f", "반쪽 \ud83d 글자", "\U0010ffff\ue000"),
    *("가" * 200, "좋다 " * 100, "a\u0300\u0301\u0302\u0303" * 20),
]


def measure(runs: Path) -> dict[str, Any]:
    """Train all runs in the folder `runs`; the results of each by its name."""
    unlabelled = [f"u{number}\t{text}" for number, text in enumerate(LINES)]
    text = "\n".join(["id\tdocument", *unlabelled]) + "\n"
    (runs / "unlabelled.txt").write_text(text, encoding="utf-8")
    return {name: _train(runs, name) for name in RUNS}


def _train(runs: Path, name: str) -> dict[str, Any]:
    settings = f"{COMMON} {RUNS[name]}".split()
    overrides = [setting.format(runs=runs, name=name) for setting in settings]
    command = [sys.executable, "train.py", *overrides]
    if name == KILLED:
        # Checkpoints are written at the end of an epoch only, so that the history is the same
        # whichever step the kill falls on.
        with started(command) as (process, said):
            wait_for(KILLED_AT, said)
            process.send_signal(signal.SIGKILL)
            process.wait()
        command = [sys.executable, "train.py", f"resume={runs / name}"]
    run(command)
    return _results(runs / name)


def _results(folder: Path) -> dict[str, Any]:
    """A run's results: its record's, digests of its files, and its bundle's answers."""
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert bool(record["resumed"]) == (folder.name == KILLED), "the run ended before it was killed"
    keys = ("parameters", "steps", "history", "metrics")
    results = {key: record[key] for key in keys if key in record}
    soft_labels = folder / "soft_labels.tsv"
    if soft_labels.exists():
        results["soft_labels"] = _digest(soft_labels.read_bytes())
        return results  # a linear classifier has no bundle
    bundle = folder / "bundle"
    tokenizer = (bundle / "tokenizer.json").read_text(encoding="utf-8")
    results["tokenizer"] = _digest(portable(tokenizer, max_length=None).encode())
    tensors = load_file(bundle / "nsmc.safetensors")
    results["shapes"] = {name: str(tensor.shape) for name, tensor in tensors.items()}
    results["tensors"] = {name: _digest(tensor.tobytes()) for name, tensor in tensors.items()}
    if "test/accuracy" in record["metrics"]:  # an encoder classifies nothing
        predictor = nsmc.Predictor.load(bundle)
        ids = predictor.encode(TEXTS)
        results["ids"] = _digest(json.dumps(ids).encode())
        results["logits"] = " ".join(map(str, predictor.logits(ids).ravel()))  # exact, on one line
    return results


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fingerprint() -> dict[str, str]:
    """What decides, apart from the code, how floating point is rounded."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().partition("\n\n")[0].splitlines() if info.exists() else []
    cpu = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    # Different processors of virtual machines share a name; libraries go by these flags.
    vectors = [flag for flag in cpu.get("flags", "").split() if flag.startswith(("avx", "amx"))]
    is_compiled = any(Path(str(nsmc.__file__)).parent.rglob("_kernel*.so"))
    return {
        "machine": platform.machine(),
        "processor": " ".join([cpu.get("model name", ""), *sorted(vectors)]),
        "kernel": os.environ.get("NSMC_KERNEL") or ("compiled" if is_compiled else "numpy"),
        **{library: version(library) for library in LIBRARIES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.pinned", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PINS.name}")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as folder:
        pins = {"fingerprint": fingerprint(), "runs": measure(Path(folder))}
    content = json.dumps(pins, indent=1, sort_keys=True) + "\n"
    if write:
        PINS.write_text(content, encoding="utf-8")
    else:
        print(content, end="")


if __name__ == "__main__":
    main()
