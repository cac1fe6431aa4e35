"""Commands that messages advise name the program that was used, and start it again."""

import sys

import pytest

from nsmc.config.commands import train_command, train_command_here, train_words


@pytest.mark.parametrize("script", ["train.py", "/a clone/train.py"])
def test_a_clone_s_script_is_started_by_its_file(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [script, "seed=1"])
    assert train_command() == "python train.py"
    assert train_words() == [sys.executable, script]


@pytest.mark.parametrize(
    "program", ["/bin/nsmc", "/lib/nsmc/cli/__main__.py", "/lib/submitit/core/_submit.py"]
)
def test_anything_else_starts_the_subcommand(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [program, "train", "seed=1"])
    assert train_command() == "nsmc train"
    assert train_words() == [sys.executable, "-m", "nsmc.cli", "train"]


def test_a_program_that_the_shell_does_not_find_is_named_by_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setenv("PATH", "/nowhere")
    program, argument = train_command_here().split()
    assert program != "python" and program.endswith("python")
    assert argument == "train.py"
