"""Runs that build on each other: a pretrained encoder, a teacher that starts from it, a student."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from nsmc.runtime.bundle import flat
from nsmc.runtime.encoders.convolution import ConvolutionSettings
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.predictor import Predictor
from tests.commands import PROJECT, run, run_anew

Runner = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = (
    *("data=sample", "data.vocab_size=300", "data.batch_size=16", "trainer.accelerator=cpu"),
    *("model.hidden_size=8", "model.embedding_dim=6", "trainer.max_epochs=1", "logger=none"),
    *(
        "trainer.limit_train_batches=4",
        "data.split_seed=0",
        "callbacks.checkpoint.every_n_minutes=null",
    ),
)
PRETRAINED = ("experiment=pretrain", "data.unlabelled=false", "model.bidirectional=true")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def train(folder: Path, name: str, *overrides: str, expect: int = 0, runner: Runner = run) -> Any:
    """The record of a run; of one that must fail, what it said on standard error."""
    place = (f"data.cache_dir={folder}/cache", f"hydra.run.dir={folder}/{name}")
    experiments = [override for override in overrides if override.startswith("experiment=")]
    rest = [override for override in overrides if override not in experiments]
    is_cnn = "model=cnn" in overrides  # which has no hidden size
    small = [each for each in SMALL if not (is_cnn and each.startswith("model.hidden_size"))]
    command = [sys.executable, "train.py", *experiments, *small, *rest, *place]
    finished = runner(command, expect)
    assert "Traceback" not in finished.stderr and "Warning" not in finished.stderr
    if expect:
        return finished.stderr
    return json.loads((folder / name / "run.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Path:
    train(folder, "encoder", *PRETRAINED)
    return folder / "encoder"


@pytest.fixture(scope="module")
def teacher(folder: Path, encoder: Path) -> Path:
    settings = ("model.pooling=max_mean", "model.bidirectional=true", "data.bpe_dropout=0.1")
    train(folder, "teacher", f"init_from={encoder}", *settings)
    return folder / "teacher"


def test_an_encoder_is_measured_by_its_loss_and_says_what_it_is_for(encoder: Path) -> None:
    record = json.loads((encoder / "run.json").read_text(encoding="utf-8"))
    assert set(record["metrics"]) == {"val/loss"}
    bundle = read_bundle(encoder / "bundle")
    assert bundle.config.labels == () and flat(bundle.config)["bidirectional"]
    assert bundle.config.metrics == record["metrics"]
    assert not (encoder / "hardest_reviews.json").exists()
    assert "init_from=" in (encoder / "bundle" / "README.md").read_text(encoding="utf-8")


def test_nsmc_predict_says_that_an_encoder_classifies_nothing(encoder: Path) -> None:
    command = [sys.executable, "-m", "nsmc.cli", "predict", str(encoder / "bundle"), "최고"]
    finished = run_anew(command, expect=1)
    assert len(finished.stderr.splitlines()) == 1
    assert "classifies nothing" in finished.stderr and "init_from" in finished.stderr


def test_a_classifier_starts_from_the_encoder_s_weights_and_has_its_tokenizer(
    folder: Path, encoder: Path
) -> None:
    # A learning rate that moves nothing shows what it started from.
    settings = ("model.lr=1e-30", "model.weight_decay=0", "model.bidirectional=true")
    train(folder, "unmoved", f"init_from={encoder}", *settings)
    start, found = (
        load_file(f / "bundle" / "nsmc.safetensors") for f in (encoder, folder / "unmoved")
    )
    for name, tensor in start.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
    tokenizers = [
        (f / "bundle" / "tokenizer.json").read_bytes() for f in (encoder, folder / "unmoved")
    ]
    assert tokenizers[0] == tokenizers[1]


def test_a_student_learns_from_teachers_and_is_of_the_simplest_form(
    folder: Path, teacher: Path
) -> None:
    soft = folder / "soft.tsv"
    rows = [line.split("\t") for line in _sample_lines()]
    lines = [f"{number}\t{0.9 if label == '1' else 0.1}" for number, _, label in rows]
    soft.write_text("\n".join(["id\tprobability", *lines]) + "\n", encoding="utf-8")
    settings = ("experiment=distill", "data.unlabelled=false")
    record = train(folder, "student", *settings, f"distill.teachers=[{teacher},{soft}]")
    assert set(record["metrics"]) == {
        f"{split}/{name}"
        for split in ("val", "test")
        for name in ("loss", "accuracy", "macro_f1", "f1", "auroc", "calibration_error")
    }
    predictor = Predictor.load(folder / "student" / "bundle")
    config = flat(predictor.config)
    assert (config["num_layers"], config["bidirectional"], config["pooling"]) == (1, False, "last")
    assert predictor(["최고의 영화"])[0].probability >= 0.5


def test_a_cnn_teaches_a_cnn_that_starts_from_it(folder: Path) -> None:
    cnn = ("model=cnn", "model.num_filters=4", "model.filter_widths=[2,3]")
    train(folder, "cnn", *cnn)
    learns = ("experiment=distill", "data.unlabelled=false", f"distill.teachers=[{folder}/cnn]")
    train(folder, "cnn-student", *learns, *cnn, f"init_from={folder}/cnn")
    assert Predictor.load(folder / "cnn-student" / "bundle").config.encoder == ConvolutionSettings(
        "cnn", (2, 3), 4
    )


def _sample_lines() -> list[str]:
    path = PROJECT / "nsmc" / "data" / "sample" / "ratings_train.txt"
    return path.read_text(encoding="utf-8").splitlines()[1:]


def test_every_setting_that_keeps_a_classifier_honest_trains_together(folder: Path) -> None:
    settings = (
        *("model.r_drop=1", "model.adversarial=virtual", "model.label_smoothing=0.1"),
        *("model.recurrent_dropout=0.1", "model.embedding_rank=4", "model.num_layers=2"),
        *("callbacks.averaging.decay=0.9", "data.bpe_dropout=0.1", "data.bpe_samples=2"),
    )
    first = train(folder, "honest-1", *settings)
    second = train(folder, "honest-2", *settings, runner=run_anew)  # with another hash seed
    assert first["metrics"] == second["metrics"]
    ours, theirs = (
        load_file(folder / f"honest-{n}" / "bundle" / "nsmc.safetensors") for n in (1, 2)
    )
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.unlabelled=true",), "with data.unlabelled=true set distill.teachers, or task="),
        (("task=pretrain",), "with task=pretrain set callbacks.checkpoint.monitor=val/loss"),
        (("init_from=nowhere",), "nowhere"),
        (("distill.teachers=[nowhere]",), "distill.teachers: nowhere: no such file or folder"),
        (
            (*PRETRAINED, "model.num_layers=2"),
            "pretrain one layer, or one direction",
        ),
    ],
)
def test_what_does_not_go_together_ends_in_one_line(
    tmp_path: Path, overrides: tuple[str, ...], message: str
) -> None:
    said = train(tmp_path, "refused", *overrides, expect=1)
    lines = [line for line in said.splitlines() if "error" in line]
    assert len(lines) == 1 and message in lines[0]
    assert not (tmp_path / "refused" / "bundle").exists()


def test_a_bundle_of_another_shape_names_the_overrides_that_are_needed(
    folder: Path, encoder: Path
) -> None:
    said = train(folder, "other", f"init_from={encoder}", "model.hidden_size=9", expect=1)
    assert f"init_from={encoder}: that bundle needs model.hidden_size=8" in said


def test_steps_are_composed_from_what_the_command_was(tmp_path: Path) -> None:
    typed, searched = tmp_path / "typed", tmp_path / "searched"
    for folder, name, content in (
        (typed, "data/mine.yaml", "defaults: [sample, _self_]\nname: mine\n"),
        (searched, "model/small.yaml", "defaults: [gru, _self_]\nhidden_size: 4\n"),
        (
            searched,
            "experiment/two.yaml",
            "# @package _global_\nrecipe:\n"
            "  shared: {defaults: {model: small}}\n"
            "  steps:\n"
            "    first: {test: false}\n"
            "    second: {init_from: first}\n",
        ),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "outputs").mkdir()
    command = [
        *(sys.executable, str(PROJECT / "train.py"), "--config-dir", "typed"),
        *("hydra.searchpath=[searched]", "experiment=two", "data=mine", "data.vocab_size=300"),
        *("trainer.accelerator=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2"),
        *("logger=none", f"data.cache_dir={tmp_path}/cache", f"hydra.run.dir={tmp_path}/run"),
        *(
            "trainer=ddp",
            "trainer.devices=2",
        ),  # started by each step's own words
    ]
    run(command, cwd=tmp_path)
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["final_step_config"]["data"]["name"] == "mine"
    assert record["final_step_config"]["model"]["hidden_size"] == 4
    # What was typed stays with the run, but a record could name any folder: it is typed again.
    assert f"'file://{typed}','file://{searched}'" in record["overrides"][0]
    shutil.rmtree(next((tmp_path / "outputs" / "recipes").glob("second-*")))
    refused = run([*command[:2], f"resume={tmp_path}/run"], 1, cwd=tmp_path)
    assert "its steps were composed by python train.py 'hydra.searchpath=[" in refused.stderr
    finished = run([*command[:5], f"resume={tmp_path}/run"], cwd=tmp_path)
    assert "first: done before" in finished.stderr
    again = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert again["metrics"] == record["metrics"]
