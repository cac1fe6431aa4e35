"""`nsmc train` is `python train.py`, in any folder: its flags, its advice, what it starts again."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from nsmc.cli import main
from tests.cli.running import one_line
from tests.commands import PROJECT, started, train_command, wait_for
from tests.commands import run as run_command


def train(corpus: Path, *overrides: str, expect: int = 0) -> str:
    """Run `nsmc train` in the current folder; returns what it prints."""
    command = nsmc_train(corpus, *overrides)
    finished = run_command(command, expect, Path.cwd(), PYTHONPATH=str(PROJECT))
    return finished.stdout + finished.stderr


def nsmc_train(corpus: Path, *overrides: str) -> list[str]:
    python, script, *words = train_command(corpus, *overrides)
    assert script == "train.py"
    return [python, "-m", "nsmc.cli", "train", *words]


def the_record() -> dict[str, Any]:
    (path,) = Path("outputs").glob("*/*/run.json")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def test_it_trains_in_any_folder_and_its_record_names_it(corpus: Path) -> None:
    shown = train(corpus, "trainer.max_epochs=1", "logger=none")
    assert "nsmc predict outputs/runs/" in shown
    record = the_record()
    assert record["status"] == "finished"
    assert record["command"].startswith("nsmc train data.root=")
    (log,) = Path("outputs").glob("runs/*/train.log")
    assert "epoch 1/1" in log.read_text(encoding="utf-8")


def test_it_takes_a_folder_of_ones_own_configurations(corpus: Path) -> None:
    Path("mine/model").mkdir(parents=True)
    Path("mine/model/tiny.yaml").write_text("defaults: [gru]\nembedding_dim: 3\n", encoding="utf-8")
    flags = ["--config-dir=mine", "model=tiny"]
    shown = train(corpus, *flags, "--cfg=job")
    assert "embedding_dim: 3" in shown
    # Of a whole configuration, too, from where the command is typed.
    Path("whole").mkdir()
    Path("whole/other.yaml").write_text("seed: 7\n", encoding="utf-8")
    command = [sys.executable, "-m", "nsmc.cli", "train", "--config-path=whole"]
    shown = run_command([*command, "--config-name=other", "--cfg=job"], 0, Path.cwd()).stdout
    assert shown.strip() == "seed: 7"


def test_processes_that_train_together_are_started_by_it(corpus: Path) -> None:
    """Alone, where Lightning starts the second, and in a sweep, whose job is a command again."""
    ddp = ("trainer=ddp", "trainer.devices=2", "trainer.max_epochs=1", "logger=none")
    train(corpus, "-m", *ddp, "trainer.accelerator=cpu", "seed=1", "hydra.sweep.dir=outputs/s")
    record = the_record()
    assert (record["status"], record["config"]["trainer"]["devices"]) == ("finished", 2)


def test_an_interrupted_run_says_how_to_go_on_with_it(corpus: Path, tmp_path: Path) -> None:
    settings = ("trainer.max_epochs=500", "logger=none", f"hydra.run.dir={tmp_path}/run")
    with started(nsmc_train(corpus, *settings)) as (process, said):
        wait_for("epoch 2/", said)
        process.send_signal(2)
        rest = said.read()
        assert process.wait() == 130
    assert f"go on with nsmc train resume={tmp_path}/run" in rest
    words = shlex.split(rest[rest.index("nsmc train resume") :].splitlines()[0])
    command = [sys.executable, "-m", "nsmc.cli", *words[1:], "seed=2"]
    assert "seed: cannot change" in run_command(command, 1).stderr  # it's the run that is meant


def test_its_help_and_its_errors_name_it() -> None:
    command = [sys.executable, "-m", "nsmc.cli", "train"]
    shown = run_command([*command, "--help"]).stdout
    assert "  nsmc train data=sample " in shown
    assert 'eval "$(nsmc train -sc install=bash)"' in shown and "python train.py" not in shown
    for words, line in (
        (["seed=1,2"], "seed=1,2: several values are for a sweep, nsmc train -m …"),
        (["zzz=1"], "zzz: no such key; nsmc train --cfg job shows all"),
        (["sweep=a"], "search and sweep are for many runs: nsmc train -m …"),
        (["--experimental-rerun=x.pickle"], "--experimental-rerun: use nsmc rerun RUN_FOLDER"),
    ):
        assert line in run_command([*command, *words], 1).stderr


def test_the_shell_completes_its_overrides_and_no_other_subcommand_s() -> None:
    command = [sys.executable, "-m", "nsmc.cli", "-sc", "query=bash"]
    for line, choices in (("nsmc train model=l", "model=lstm\n"), ("nsmc info model=l", "")):
        assert run_command(command, COMP_LINE=line).stdout == choices
    installed = run_command([*command[:3], "train", "-sc", "install=bash"]).stdout
    assert "complete -o nospace -o default -F hydra_bash_completion" in installed


def test_without_the_training_libraries_it_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "nsmc.cli.hydra_task", raising=False)
    for name in [each for each in sys.modules if each.partition(".")[0] == "hydra"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hydra", None)
    assert main(["train", "data=sample"]) == 1
    assert 'needs the extra "train"' in one_line(capsys.readouterr().err)
