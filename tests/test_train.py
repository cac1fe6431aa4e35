"""`python train.py` as a user runs it: real processes on a tiny corpus, to a bundle and back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from nsmc.runtime.predictor import Predictor

PROJECT = Path(__file__).parents[1]
GOOD = ("정말 재밌다", "최고의 영화", "감동이었어요", "또 보고싶다 최고", "연기가 훌륭하다")
BAD = ("너무 지루하다", "최악의 영화", "돈이 아깝다", "다신 안본다 별로", "연기가 엉망이다")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus that a classifier learns in a few steps."""
    root = tmp_path_factory.mktemp("corpus")
    for name, size in (("ratings_train.txt", 40), ("ratings_test.txt", 8)):
        lines = ["id\tdocument\tlabel"]
        for number in range(size):
            texts, label = (GOOD, 1) if number % 2 else (BAD, 0)
            lines.append(f"{number}\t{texts[number % 5]} {number}\t{label}")
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def train(
    corpus: Path, *overrides: str, expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run train.py on the corpus with a small model; the exit code must be as expected."""
    return run(train_command(corpus, *overrides), expect, **environment)


def train_command(corpus: Path, *overrides: str) -> list[str]:
    small = ["data.vocab_size=300", "data.batch_size=8", "model.hidden_size=8", "model.lr=0.05"]
    flags = [override for override in overrides if override.startswith("-")]
    overrides = tuple(override for override in overrides if override not in flags)
    return [
        *(sys.executable, "train.py", *flags),
        *(f"data.root={corpus}", "data.validation_fraction=0.25"),
        *(f"data.cache_dir={corpus}/cache", "trainer.accelerator=cpu", "trainer.max_epochs=2"),
        *(*small, *overrides),
    ]


def run(
    command: Sequence[str], expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    finished = subprocess.run(
        command,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    assert finished.returncode == expect, finished.stderr
    return finished


def test_a_run_leaves_all_that_it_promises(corpus: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    finished = train(corpus, "model.dropout=0.1", f"hydra.run.dir={first}")
    assert "validation" in finished.stdout and "nsmc predict" in finished.stdout
    assert "epoch 2/2: train loss" in finished.stderr
    assert "Traceback" not in finished.stderr and "Warning" not in finished.stderr

    names = {path.name for path in first.iterdir()}
    assert names >= {".hydra", "train.log", "checkpoints", "bundle", "run.json", "csv"}
    assert any(name.startswith("events.out.tfevents") for name in names)

    record = json.loads((first / "run.json").read_text(encoding="utf-8"))
    assert record["config"]["model"]["dropout"] == 0.1
    for split in ("val", "test"):
        for metric in ("accuracy", "f1", "auroc", "loss"):
            assert f"{split}/{metric}" in record["metrics"]
    assert record["parameters"] > 0 and record["reviews_per_second"] > 0

    config = json.loads((first / "bundle" / "config.json").read_text(encoding="utf-8"))
    assert config["metrics"] == record["metrics"]
    assert config["signature"] == record["signature"]
    assert "model.dropout=0.1" in (first / "bundle" / "README.md").read_text(encoding="utf-8")
    assert Predictor.load(first / "bundle")(["최고의 영화"])[0].probability >= 0.5

    checkpoint = first / "checkpoints" / "last.ckpt"
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert "classifier.embedding.weight" in state

    # One seed, one result on one machine.
    train(corpus, "model.dropout=0.1", f"hydra.run.dir={second}", "logger=none")
    weights = [load_file(folder / "bundle" / "nsmc.safetensors") for folder in (first, second)]
    for name, tensor in weights[0].items():
        assert np.array_equal(tensor, weights[1][name]), name


def test_a_run_goes_on_from_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    train(corpus, f"hydra.run.dir={tmp_path}/a", "logger=none", "model.schedule=constant")
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    resume = [f"ckpt_path={checkpoint}", "logger=none", "model.schedule=constant"]
    finished = train(corpus, *resume, "trainer.max_epochs=3", f"hydra.run.dir={tmp_path}/b")
    assert "epoch 3/3" in finished.stderr and "epoch 2/3" not in finished.stderr
    record = json.loads((tmp_path / "b" / "run.json").read_text(encoding="utf-8"))
    assert record["epochs"] == 3
    # Nothing is left to train: the checkpoint itself is measured and exported.
    train(corpus, *resume, f"hydra.run.dir={tmp_path}/c")
    assert Predictor.load(tmp_path / "c" / "bundle")


def test_a_checkpoint_of_another_run_is_refused(corpus: Path, tmp_path: Path) -> None:
    train(corpus, f"hydra.run.dir={tmp_path}/a", "logger=none")
    resume = (f"ckpt_path={tmp_path}/a/checkpoints/last.ckpt", f"hydra.run.dir={tmp_path}/b")
    for override, message in (
        ("model.hidden_size=9", "has hidden_size=8, this run hidden_size=9"),
        ("data.normalization=nfd", "has tokenizer_fingerprint="),
        ("seed=7", "this run "),  # another split, and so another tokenizer
        ("trainer.max_epochs=3", "schedule was planned for"),
    ):
        assert message in train(corpus, *resume, override, expect=1).stderr
    assert not (tmp_path / "b" / "bundle").exists()


def test_a_failed_job_does_not_stop_the_others(corpus: Path, tmp_path: Path) -> None:
    jobs = ("-m", "model.hidden_size=0,8", "trainer.max_epochs=1", f"hydra.sweep.dir={tmp_path}")
    finished = train(corpus, *jobs, expect=1)
    assert "error: model.hidden_size=0: must be" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert [path.parent.name[0] for path in tmp_path.glob("*/bundle")] == ["1"]


def test_ctrl_c_says_how_to_go_on(corpus: Path, tmp_path: Path) -> None:
    command = train_command(corpus, "trainer.max_epochs=100000", f"hydra.run.dir={tmp_path}")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=PROJECT, stderr=subprocess.PIPE, text=True, env=environment
    )
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "epoch 3/" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert f"interrupted: go on with ckpt_path={tmp_path}/checkpoints/last.ckpt" in rest
    assert "Traceback" not in rest


def test_a_sweep_leaves_a_folder_for_each_job(corpus: Path, tmp_path: Path) -> None:
    train(
        corpus,
        *("-m", "model=gru,lstm", "model.bidirectional=true", "model.pooling=attention"),
        *("trainer.max_epochs=1", "data.padding=fixed", f"hydra.sweep.dir={tmp_path}"),
    )
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert [folder.name.split("_")[0] for folder in folders] == ["0", "1"]
    cells = [json.loads((f / "bundle" / "config.json").read_text())["cell"] for f in folders]
    assert cells == ["gru", "lstm"]
    assert all(Predictor.load(folder / "bundle")(["최고"]) for folder in folders)


def test_two_processes_train_one_bundle(corpus: Path, tmp_path: Path) -> None:
    finished = train(corpus, "trainer=ddp", "trainer.accelerator=cpu", f"hydra.run.dir={tmp_path}")
    assert "Warning" not in finished.stderr
    assert finished.stdout.count("validation") == 1
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    # 30 training reviews in batches of 8 for each of two processes: two steps in each of 2 epochs.
    assert record["steps"] == 4
    assert Predictor.load(tmp_path / "bundle")(["최고의 영화"])


def test_a_sweep_of_several_processes_is_refused(corpus: Path, tmp_path: Path) -> None:
    arguments = ("-m", "trainer=ddp", "trainer.accelerator=cpu", f"hydra.sweep.dir={tmp_path}")
    assert "start the runs one by one" in train(corpus, *arguments, expect=1).stderr


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hiden_size=3", "error: model.hiden_size: no such key; did you mean model.hidden_"),
        ("model=rnn", "error: model=rnn: no such choice; there are gru, lstm"),
        ("model.lr=abc", "error: model.lr=abc: must be a valid number"),
        ("data.train_file=gone.txt", "gone.txt is not there; set data.root"),
        ("ckpt_path=gone.ckpt", "error: gone.ckpt: no such checkpoint"),
        ("nonsense", "error: Error parsing override 'nonsense'"),
    ],
)
def test_a_mistake_ends_in_one_line(
    corpus: Path, tmp_path: Path, override: str, message: str
) -> None:
    finished = train(corpus, f"hydra.run.dir={tmp_path}", override, expect=1)
    lines = [line for line in finished.stderr.splitlines() if "error" in line]
    assert len(lines) == 1 and message in lines[0]
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_traceback_is_there_for_the_asking(corpus: Path, tmp_path: Path) -> None:
    arguments = (f"hydra.run.dir={tmp_path}", "model.lr=abc")
    finished = train(corpus, *arguments, expect=1, HYDRA_FULL_ERROR="1")
    assert "Traceback" in finished.stderr and "check_config" in finished.stderr


def test_the_help_is_written_for_people() -> None:
    text = run([sys.executable, "train.py", "--help"]).stdout
    for phrase in ("model: gru, lstm", "data: nsmc, sample", "data.vocab_size", "experiment=blog"):
        assert phrase in text
    assert "hidden_size: 128" in run([sys.executable, "train.py", "--cfg", "job"]).stdout


def test_the_shell_completes_choices() -> None:
    line = "python train.py model=l"
    command = [sys.executable, "train.py", "-sc", "query=bash"]
    finished = run(command, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert finished.stdout.split() == ["model=lstm"]
