"""`nsmc train`, which is `python train.py` where there is no clone: Hydra reads its arguments."""

import os
import re
from collections.abc import Sequence
from typing import Any

from nsmc.cli.arguments import needs_training_libraries


def add_parser(commands: Any) -> None:
    """For `nsmc --help` alone."""
    commands.add_parser("train", help="train a classifier, or many: see nsmc train --help")


def run(words: Sequence[str]) -> int:
    """Train as the words say; returns the exit code."""
    with needs_training_libraries():
        from nsmc.cli.hydra_task import train

    return train(words)


def complete(words: Sequence[str]) -> int:
    """Answer a shell that completes `nsmc train …`: it asks `nsmc -sc query=SHELL`.

    Hydra, which made it ask so, knows of programs but not of subcommands.
    """
    line, is_ours = re.subn(r"^(\s*\S+)\s+train\s", r"\1 ", os.environ.get("COMP_LINE", ""))
    os.environ["COMP_LINE"] = line
    return run(words) if is_ours else 0
