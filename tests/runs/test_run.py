"""What is printed at the end of a run, and jobs that run as commands of their own."""

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from nsmc.config.composition import CONFIGS
from nsmc.config.hydra_releases import configurations_in
from nsmc.config.schema import check_config
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runs.next_commands import next_commands
from nsmc.runs.record import BusyError, read_record, write_record
from nsmc.runs.run import BUSY, run_in_subprocess, summary
from nsmc.runtime.locate import PRETRAINED
from tests.commands import PROJECT

METRICS = {"val/accuracy": 0.75, "val/f1": 0.5, "val/loss": 0.6, "test/accuracy": 0.7}


def test_the_summary_shows_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "run" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "nsmc.safetensors").write_bytes(bytes(1_500_000))
    (bundle / "tokenizer.json").write_bytes(bytes(500_000))
    record = {
        "metrics": {**METRICS, "test/f1": 0.25, "test/loss": 0.65},
        "seconds": 12.34,
        "train_seconds": 10.0,
        "reviews_per_second": 4321.0,
        "parameters": 1_379_330,
    }
    lines = summary(record, bundle).splitlines()
    table = [line.split() for line in lines]
    assert ["accuracy", "0.7500", "0.7000"] in table
    assert ["F1", "0.5000", "0.2500"] in table
    assert ["loss", "0.6000", "0.6500"] in table
    assert ["parameters", "1,379,330"] in table
    assert "2.00 MB (weights 1.50 MB)" in summary(record, bundle)
    assert "run" in table[-1]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], "predict run/bundle "),
        (["experiment=pretrain"], "nsmc train init_from=run"),
        (["experiment=linear"], "nsmc train experiment=distill "),
    ],
)
def test_what_comes_next_depends_on_what_was_trained(
    composed: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = check_config(composed("data=sample", *overrides))
    record = {"config": config.model_dump()}
    with configurations_in(CONFIGS):
        lines = next_commands(config, record, tmp_path / "run")
    assert expected in lines
    assert ("tensorboard --logdir outputs" in lines) == (config.task != "linear")
    recipe = check_config(composed("data=sample"))
    of_a_recipe = {"config": recipe.model_dump(), "final_step_config": record["config"]}
    with configurations_in(CONFIGS):
        assert next_commands(recipe, of_a_recipe, tmp_path / "run") == lines


def test_a_classifier_is_told_what_starting_from_an_encoder_needs(
    composed: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = ["data=sample", "experiment=pretrain", "data.unlabelled=true", "model=lstm"]
    typed += ["model.hidden_size=8", "model.lr=0.1", "seed=7"]
    config = check_config(composed(*typed))
    record = {"config": config.model_dump(), "overrides": typed}
    with configurations_in(CONFIGS):
        lines = next_commands(config, record, tmp_path / "run")
    expected = "init_from=run data=sample data.split_seed=7 model=lstm model.hidden_size=8\n"
    assert expected in lines


def test_a_run_without_a_test_shows_validation_alone(tmp_path: Path) -> None:
    (tmp_path / "nsmc.safetensors").write_bytes(b"")
    validation = {key: value for key, value in METRICS.items() if key.startswith("val/")}
    record = {
        "metrics": validation,
        "seconds": 1.0,
        "train_seconds": 1.0,
        "reviews_per_second": 1.0,
        "parameters": 1,
    }
    assert "test" not in summary(record, tmp_path).split("seconds")[0]


def test_next_commands_can_be_pasted_whatever_the_folder_is_called(
    composed: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = check_config(composed("data=sample"))
    lines = next_commands(config, {"config": config.model_dump()}, tmp_path / "내 $run's")
    (command,) = (line for line in lines.splitlines() if " predict " in line)
    assert shlex.split(command)[1:3] == ["predict", "내 $run's/bundle"]


def test_who_comes_second_to_a_run_leaves_its_record_as_it_is_and_calls_it_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path, {"status": "running"})
    monkeypatch.setattr(sys, "argv", [str(PROJECT / "train.py")])
    with FileLock(tmp_path / ".lock"), pytest.raises(BusyError, match="another process is at"):
        run_in_subprocess(tmp_path, ["data=sample", "trainer.accelerator=cpu"])
    assert read_record(tmp_path) == {"status": "running"}
    # Whoever started it waits, or leaves the run to the other process, and says so.
    assert "".join(capfd.readouterr()) == ""


def test_a_run_that_was_busy_is_not_recorded_as_failed_when_the_other_process_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(tmp_path, {"status": "finished"})
    script = tmp_path / "train.py"  # finds the run busy, which it is no longer afterwards
    script.write_text(f"import sys; sys.exit({BUSY})")
    monkeypatch.setattr(sys, "argv", [str(script)])
    with pytest.raises(BusyError):
        run_in_subprocess(tmp_path, [])
    assert read_record(tmp_path) == {"status": "finished"}


def test_few_reviews_lead_to_the_settings_for_them(
    composed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    config = check_config(composed())
    record = {
        **{"config": config.model_dump(), "training_reviews": 1_234},
        "overrides": ["data=nsmc", "data.root='/가 나'", "hydra.run.dir=x"],
    }
    said = next_commands(config, record, tmp_path)
    assert "nsmc train data=nsmc 'data.root=/가 나' experiment=small  # for 1,234 reviews" in said
    for changes in ({"training_reviews": 20_000}, {"overrides": ["experiment=blog"]}):
        assert "small" not in next_commands(config, {**record, **changes}, tmp_path)
    sample = check_config(composed("data=sample"))
    assert "small" not in next_commands(sample, record, tmp_path)


@pytest.mark.parametrize(
    ("count", "more"), [(1_234, ""), (50_000, "data.batch_size=256 ")], ids=["few", "many"]
)
def test_texts_whose_tokens_the_package_knows_lead_to_its_bundle(
    composed: Callable[..., dict[str, Any]], tmp_path: Path, count: int, more: str
) -> None:
    (tmp_path / "bundle").mkdir()
    shutil.copy(PRETRAINED / "tokenizer.json", tmp_path / "bundle")
    config = check_config(composed("data=ratings", "data.root=x"))
    typed = ["data=ratings", "data.root=x", "seed=3"]
    record = {"config": config.model_dump(), "training_reviews": count, "overrides": typed}
    command = f"nsmc train {more}data=ratings data.root=x seed=3 experiment=finetune  # from"
    assert command in next_commands(config, record, tmp_path)
    same = ["model.lr=0.01", "init_from=pretrained"]
    others = ["model=lstm", "ablation=two_layers", "experiment=blog", "init_from=./x"]
    others += ["tokenizer=morphemes", "data.train_file=ratings_train.txt"]
    for override in (*same, *others):
        changed = check_config(composed("data=ratings", "data.root=x", override))
        said = next_commands(changed, {**record, "overrides": [*typed, override]}, tmp_path)
        assert ("experiment=finetune" in said) == (override in same), override


def test_texts_in_another_language_do_not_lead_to_the_package_s_bundle(
    composed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "bundle").mkdir()
    words = ("a wonderful film", "what a waste of time", "the actors are wonderful") * 20
    tokenizer = train_tokenizer(words, vocab_size=400, min_frequency=2, normalization="nfc")
    save_tokenizer(tokenizer, tmp_path / "bundle" / "tokenizer.json")
    config = check_config(composed("data=ratings", "data.root=x"))
    record = {"config": config.model_dump(), "training_reviews": 99, "overrides": ["data=ratings"]}
    assert "experiment=small" in next_commands(config, record, tmp_path)
