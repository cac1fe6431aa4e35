"""Folders that environment variables name, for tests that need what a target of make prepares."""

import os
from pathlib import Path


def folder_given(variable: str) -> Path:
    """The folder that the variable names; else one that can never be, as it is below a file."""
    return Path(os.environ.get(variable) or f"{os.devnull}/{variable}").absolute()
