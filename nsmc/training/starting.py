"""Starting from the weights of another run: whether it is possible, and how to, in words."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.settings import needed_settings


def check_shape(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> None:
    """Check the settings of an encoder against those of one that is called `name`.

    Raises ValueError that names the settings that are needed.
    """
    if ours["embedding_rank"] is not None:
        raise ValueError(f"init_from={name}: needs model.embedding_rank=null")
    needed = needed_settings(encoder_settings(ours), encoder_settings(theirs))
    if ours["embedding_dim"] != theirs["embedding_dim"]:
        needed["embedding_dim"] = theirs["embedding_dim"]
    if needed:
        raise ValueError(f"init_from={name}: that bundle needs {' '.join(_overrides(needed))}")


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    """What is typed for some settings of the model."""
    return [
        f"model={value}" if key == "architecture" else f"model.{key}={_typed(value)}"
        for key, value in settings.items()
    ]


def _typed(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_typed, value))}]"
    return str(value).lower()


def weights_alone(checkpoint: str) -> str:
    """How to start from the weights of a checkpoint's run, and from nothing else of it."""
    run = Path(checkpoint).absolute().parent.parent
    finish = (
        ""
        if (run / "bundle").is_dir()
        else f"finish that run with {shlex.quote(f'resume={run}')} and "
    )
    return f"{finish}set {shlex.quote(f'init_from={run}')} instead of ckpt_path"
