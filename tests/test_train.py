"""`python train.py` as a user runs it: real processes on a tiny corpus, to a bundle and back."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nsmc.comparison.answers import read_answers
from nsmc.runtime.predictor import Predictor
from tests.commands import (
    ENVIRONMENT,
    PROJECT,
    run,
    run_anew,
    started,
    train,
    train_command,
    wait_for,
    write_corpus,
)
from tests.forkserver import PATIENCE


def check_answers(folder: Path, record: dict[str, Any]) -> None:
    """The answers that a run keeps are those that its metrics are of, and its bundle's."""
    predictor = Predictor.load(folder / "bundle")
    texts = {}
    for name in ("train", "test"):
        rows = Path(record["config"]["data"]["root"], f"ratings_{name}.txt").read_text("utf-8")
        texts[name] = dict(row.split("\t")[:2] for row in rows.splitlines()[1:])
    for part, count in (("val", 10), ("test", 8)):
        kept = read_answers(folder, part)
        assert kept is not None and len(kept) == count
        assert kept.is_right.mean() == pytest.approx(record["metrics"][f"{part}/accuracy"])
        loss = -np.log(kept.label_probabilities).mean()
        assert loss == pytest.approx(record["metrics"][f"{part}/loss"], abs=1e-5)
        ids = [key.decode() for key in kept.ids.tolist()]
        of = texts["test" if part == "test" else "train"]
        answers = predictor([of[review_id] for review_id in ids])
        assert [kept.names[number] for number in kept.answers] == [each.label for each in answers]
        sure = [each.probability for each in answers]
        assert kept.probabilities.tolist() == pytest.approx(sure, abs=1e-4)


def test_a_run_leaves_all_that_it_promises(corpus: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    command = train_command(corpus, "model.dropout=0.1", f"hydra.run.dir={first}")
    finished = run_anew(command)
    assert "validation" in finished.stdout and "nsmc predict" in finished.stdout
    assert "epoch 2/2: train loss" in finished.stderr
    assert "Traceback" not in finished.stderr and "Warning" not in finished.stderr

    names = {path.name for path in first.iterdir()}
    assert names >= {".hydra", "train.log", "checkpoints", "bundle", "run.json", "csv"}
    assert any(name.startswith("events.out.tfevents") for name in names)
    hardest = json.loads((first / "hardest_reviews.json").read_text(encoding="utf-8"))
    assert all(each["label"] != each["explanation"]["label"] for each in hardest)
    events = EventAccumulator(str(first))
    events.Reload()
    assert ("val/hardest_explained" in events.Tags()["images"]) == bool(hardest)

    record = json.loads((first / "run.json").read_text(encoding="utf-8"))
    assert record["config"]["model"]["dropout"] == 0.1
    for split in ("val", "test"):
        for metric in ("accuracy", "f1", "auroc", "loss"):
            assert f"{split}/{metric}" in record["metrics"]
    assert record["parameters"] > 0 and record["reviews_per_second"] > 0
    assert [epoch["epoch"] for epoch in record["history"]] == [1, 2]
    assert all("val/accuracy" in epoch and "train/loss" in epoch for epoch in record["history"])

    config = json.loads((first / "bundle" / "config.json").read_text(encoding="utf-8"))
    assert config["metrics"] == record["metrics"]
    assert config["signature"] == record["signature"]
    assert "model.dropout=0.1" in (first / "bundle" / "README.md").read_text(encoding="utf-8")
    assert Predictor.load(first / "bundle")(["최고의 영화"])[0].probability >= 0.5

    check_answers(first, record)

    checkpoint = first / "checkpoints" / "last.ckpt"
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert "classifier.text_encoder.embedding.weight" in state

    # One seed, one result on one machine, in a process of another hash seed, too.
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
    # What its weights have taken counts, not what this run alone has added.
    assert [epoch["epoch"] for epoch in record["history"]] == [1, 2, 3]
    earlier = json.loads((tmp_path / "a" / "run.json").read_text(encoding="utf-8"))
    assert record["history"][:2] == earlier["history"]
    assert record["train_seconds"] > earlier["train_seconds"]
    # Nothing would be left to train, and these results be another run's.
    refused = train(corpus, *resume, f"hydra.run.dir={tmp_path}/c", expect=1)
    assert "has 2 epochs behind it, so that trainer.max_epochs=2 leaves nothing" in refused.stderr
    assert not (tmp_path / "c" / "bundle").exists()


def test_from_an_epoch_s_end_a_number_of_steps_is_reached_as_without_a_stop(
    corpus: Path, tmp_path: Path
) -> None:
    settings = ["logger=none", "model.schedule=constant"]
    train(corpus, f"hydra.run.dir={tmp_path}/a", *settings)
    behind = json.loads((tmp_path / "a" / "run.json").read_text(encoding="utf-8"))["steps"]
    settings += ["trainer.max_epochs=5", f"trainer.max_steps={behind + behind // 2}"]
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    train(corpus, *settings, f"ckpt_path={checkpoint}", f"hydra.run.dir={tmp_path}/b")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/c")
    weights = [tmp_path / run / "bundle" / "nsmc.safetensors" for run in "bc"]
    assert weights[0].read_bytes() == weights[1].read_bytes()


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


def test_two_processes_train_one_bundle(corpus: Path, tmp_path: Path) -> None:
    finished = train(corpus, "trainer=ddp", "trainer.accelerator=cpu", f"hydra.run.dir={tmp_path}")
    assert "Warning" not in finished.stderr
    assert finished.stdout.count("validation  ") == 1
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    # 30 training reviews in batches of 8 for each of two processes: two steps in each of 2 epochs.
    assert record["steps"] == 4
    check_answers(tmp_path, record)


def test_processes_that_torchrun_starts_share_one_run(corpus: Path, tmp_path: Path) -> None:
    # What torchrun does, without its own start: a store, and what the environment says of it.
    store = TCPStore("127.0.0.1", 0, is_master=True, timeout=timedelta(seconds=PATIENCE))
    together = {
        **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2"},
        **{"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True"},
    }
    new = "'${run_folder:${resume}," + str(tmp_path) + "/${run_id:}}'"  # another in each process
    settings = ("trainer=ddp", f"hydra.run.dir={new}", "trainer.max_epochs=100000")
    command = train_command(corpus, *settings, "model.schedule=constant", "logger=none")
    ranks = [{**together, "RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    with started(command, **ranks[0]) as (first, said), started(command, **ranks[1]) as (other, _):
        wait_for("epoch 2/", said)
        for process in (first, other):
            process.send_signal(signal.SIGTERM)
        rest = said.read()
        assert (first.wait(), other.wait()) == (143, 0)
    (folder,) = tmp_path.iterdir()
    assert f"interrupted: go on with python train.py resume={folder}" in rest
    assert {path.name for path in folder.glob("*.log")} == {"train.log", "train_rank_1.log"}
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "interrupted"


def test_two_machines_share_the_folder_that_both_are_given(corpus: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # free, once it is closed
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    nodes = ("trainer=ddp", "trainer.num_nodes=2", "trainer.devices=1", "logger=none")
    command = train_command(corpus, *nodes, f"hydra.run.dir={tmp_path}/run")
    second = {**meeting, "NODE_RANK": "1"}
    with started(command, **meeting, NODE_RANK="0") as (first, said):
        finished = run(command, 0, PROJECT, **second)
        said.read()
        assert first.wait() == 0
    assert "validation" not in finished.stdout and "error" not in finished.stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["steps"]) == ("finished", 4)
    assert Predictor.load(tmp_path / "run" / "bundle")(["최고의 영화"])


def test_machines_without_a_common_folder_are_refused(corpus: Path, tmp_path: Path) -> None:
    nodes = ("trainer=ddp", "trainer.num_nodes=2", "trainer.devices=1")
    for rank in "01":
        finished = train(corpus, *nodes, expect=1, NODE_RANK=rank)
        lines = [line for line in finished.stderr.splitlines() if "error" in line]
        assert len(lines) == 1 and "set the same hydra.run.dir on each" in lines[0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hiden_size=3", "error: model.hiden_size: no such key; did you mean model.hidden_"),
        ("model=rnn", "error: model=rnn: no such choice; there are cnn, gru, lstm"),
        ("model.lr=abc", "error: model.lr=abc: must be a number"),
        ("data.train_file=gone.txt", "gone.txt is not there; set data.root"),
        ("ckpt_path=gone.ckpt", "error: gone.ckpt: no such checkpoint"),
        ("nonsense", "error: nonsense: not a setting; write KEY=VALUE"),
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
    for phrase in (
        "model: cnn, gru, lstm",
        "data: files, folder, nsmc",
        "data.vocab_size",
        "experiment=blog",
    ):
        assert phrase in text
    assert "hidden_size: 128" in run([sys.executable, "train.py", "--cfg", "job"]).stdout


def test_the_shell_completes_choices() -> None:
    line = "python train.py model=l"
    command = [sys.executable, "train.py", "-sc", "query=bash"]
    finished = run(command, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert finished.stdout.split() == ["model=lstm"]


# A corpus of one's own


@pytest.fixture
def own_corpus(tmp_path: Path) -> Path:
    """A corpus with a training file alone, and a configuration for it in `configs`."""
    root = tmp_path / "own"
    root.mkdir()
    write_corpus(root)
    (root / "ratings_test.txt").unlink()
    (root / "ratings_train.txt").rename(root / "mine.txt")
    for base in ("folder", "nsmc"):
        place = tmp_path / "configs" / "data" / f"on_{base}.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            *("defaults:", f"  - {base}", "  - _self_", "name: mine", f"root: {root}"),
            *("train_file: mine.txt", "test_file: gone.txt", "label_map: {0: 부정, 1: 긍정}"),
            "remote_files: null",
        ]
        place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.mark.parametrize("base", ["folder", "nsmc"])
def test_a_corpus_of_ones_own_needs_no_file_but_its_own(own_corpus: Path, base: str) -> None:
    out = own_corpus.parent
    configs = (f"--config-dir={out}/configs", f"data=on_{base}", "test=false")
    finished = train(own_corpus, *configs, f"hydra.run.dir={out}/run")
    card = (out / "run" / "bundle" / "README.md").read_text(encoding="utf-8")
    assert "corpus `mine`" in card and "부정 from 긍정" in card and "movie" not in card
    record = json.loads((out / "run" / "run.json").read_text(encoding="utf-8"))
    assert {metric.partition("/")[0] for metric in record["metrics"]} == {"val"}
    assert "test" not in finished.stdout.split("seconds")[0]

    linear = ("experiment=linear", "linear.min_count=1", f"hydra.run.dir={out}/linear")
    finished = train(own_corpus, *configs, *linear)
    assert "no unlabelled reviews" in finished.stderr and "downloading" not in finished.stderr
    assert len((out / "linear" / "soft_labels.tsv").read_text().splitlines()) == 1 + 40
    assert {path.name for path in own_corpus.iterdir()} == {"mine.txt", "cache"}

    # Where there are some, they get soft labels, too.
    (own_corpus / "unlabeled.txt").write_text("id\tdocument\nu1\t새 글\n", encoding="utf-8")
    train(own_corpus, *configs, *linear[:-1], f"hydra.run.dir={out}/again")
    assert "u1\t" in (out / "again" / "soft_labels.tsv").read_text(encoding="utf-8")
    # With a test, its file is needed, and the line says how to do without.
    finished = train(own_corpus, *configs[:-1], f"hydra.run.dir={out}/tested", expect=1)
    assert "gone.txt is not there; set data.root, or test=false" in finished.stderr


@pytest.mark.parametrize("task", ["classify", "linear"])
def test_one_label_alone_is_refused_and_a_test_of_the_training_file_is_no_secret(
    corpus: Path, tmp_path: Path, task: str
) -> None:
    lines = (corpus / "ratings_train.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.endswith(("label", "1"))]
    (tmp_path / "one.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    settings = (f"task={task}", "linear.min_count=1", f"hydra.run.dir={tmp_path}/run")
    finished = train(corpus, *settings, f"data.train_file={tmp_path}/one.txt", expect=1)
    assert "one.txt: every review has the label 'positive';" in finished.stderr
    assert not (tmp_path / "run" / "bundle").exists()
    finished = train(corpus, *settings, "data.test_file=ratings_train.txt")
    assert finished.stderr.count("has the same content as data.train_file=ratings_train.txt") == 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-16"])
def test_an_output_that_lacks_letters_ends_no_run(
    corpus: Path, tmp_path: Path, encoding: str
) -> None:
    command = train_command(corpus, "data.label_map={0:부정,1:긍정}", "logger=none")
    command += ["data.name='말뭉치'", f"hydra.run.dir={tmp_path}"]
    line = shlex.join([*command, "trainer.max_epochs=1"])
    finished = subprocess.run(
        ["sh", "-c", f"{line} 2>&1"],
        cwd=PROJECT,
        capture_output=True,
        env={**ENVIRONMENT, "PYTHONIOENCODING": encoding},
        check=False,
    )
    said = finished.stdout.decode(encoding, "replace")
    assert finished.returncode == 0, said
    assert "nsmc predict" in said and "Traceback" not in said
    (tmp_path / "train.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("seconds", [0.2, 0.8, 1.6, 3.2])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_ends_in_one_line(
    corpus: Path, tmp_path: Path, signum: signal.Signals, seconds: float
) -> None:
    command = train_command(corpus, f"hydra.run.dir={tmp_path}", "trainer.max_epochs=9999")
    with subprocess.Popen(
        command, cwd=PROJECT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(seconds)  # at whatever that is
        process.send_signal(signum)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signum, said
    assert "interrupted" in said.splitlines()[-1]
    assert "Traceback" not in said and "Exception" not in said and "FakeTensor" not in said
