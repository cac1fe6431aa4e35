"""The `nsmc` command: a file for each subcommand, with its options and what it does.

A subcommand is imported only when it is named, and numpy and tokenizers only when it runs; what
trains and draws is for `train`, `rerun` and `report` alone.
"""

from nsmc.cli.command import main

__all__ = ["main"]
