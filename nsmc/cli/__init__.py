"""The `nsmc` command: a file for each subcommand, with its options and what it does.

A subcommand is imported only when it is named, and numpy and tokenizers only when it runs; torch,
Hydra and what draws are for `train`, `rerun` and `report` alone.
"""

from nsmc.cli.command import main

__all__ = ["main"]
