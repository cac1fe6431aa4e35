"""`nsmc train`, which is `python train.py` where there is no clone: Hydra reads its arguments."""

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
