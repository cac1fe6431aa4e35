"""Starting from the weights of another run: whether it is possible, and how to, in words."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SIZES = ("cell", "embedding_dim", "hidden_size", "num_layers")


def check_shape(ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> None:
    """Check the settings of an encoder against those of one that is called `name`.

    One direction can start from both. Raises ValueError that names the settings that are needed.
    """
    if ours["embedding_rank"] is not None:
        raise ValueError(f"init_from={name}: needs model.embedding_rank=null")
    # Of several layers the second reads both directions, so none can be left out.
    is_free = theirs["num_layers"] == 1 and not ours["bidirectional"]
    keys = _SIZES if is_free else (*_SIZES, "bidirectional")
    if needed := [
        f"model.{key}={str(theirs[key]).lower()}" for key in keys if ours[key] != theirs[key]
    ]:
        raise ValueError(f"init_from={name}: that bundle needs {' '.join(needed)}")


def weights_alone(checkpoint: str) -> str:
    """How to start from the weights of a checkpoint's run, and from nothing else of it."""
    run = Path(checkpoint).absolute().parent.parent
    finish = (
        ""
        if (run / "bundle").is_dir()
        else f"finish that run with {shlex.quote(f'resume={run}')} and "
    )
    return f"{finish}set {shlex.quote(f'init_from={run}')} instead of ckpt_path"
