"""Starting from the weights of another run: whether it is possible, and what to type for it."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.settings import needed_settings


def check_shape(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> None:
    """Raises ValueError, naming the settings that starting from the bundle `name` needs."""
    if ours["embedding_rank"] is not None:
        raise ValueError(f"init_from={name}: needs model.embedding_rank=null")
    if needed := needed_overrides(ours, theirs):
        raise ValueError(f"init_from={name}: that bundle needs {' '.join(needed)}")


def needed_overrides(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What to type for an encoder that can take another one's weights; empty where it can."""
    needed = needed_settings(encoder_settings(ours), encoder_settings(theirs))
    if ours["embedding_dim"] != theirs["embedding_dim"]:
        needed["embedding_dim"] = theirs["embedding_dim"]
    return [
        f"model={value}" if key == "architecture" else f"model.{key}={_yaml(value)}"
        for key, value in needed.items()
    ]


def _yaml(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_yaml, value))}]"
    return str(value).lower()


def weights_alone(checkpoint: str) -> str:
    """How to start from the weights alone of a checkpoint's run."""
    run = Path(checkpoint).absolute().parent.parent
    advice = f"set {shlex.quote(f'init_from={run}')} instead of ckpt_path"
    if not (run / "bundle").is_dir():
        advice = f"finish that run with {shlex.quote(f'resume={run}')} and {advice}"
    return advice
