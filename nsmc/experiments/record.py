"""The run record, `run.json`: what a run was, on what, and how it came out."""

import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

RECORD_FILE = "run.json"

_PACKAGES = (
    "nsmc",
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "tokenizers",
    "pandas",
    "safetensors",
    "tensorboard",
    "torchmetrics",
    "numpy",
)


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write `run.json` atomically; keys that say where a run happened are added."""
    content = {**record, "versions": _versions(), "git_commit": _git_commit()}
    scratch = folder / f".{RECORD_FILE}.tmp"
    scratch.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(folder / RECORD_FILE)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # run from a clone, not installed
            continue
    return versions


def _git_commit() -> str | None:
    """The commit of the code that ran, "+changes" where files were edited; None without git."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return finished.stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return None
