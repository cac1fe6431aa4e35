"""Starting from the weights of another run: whether it is possible, and what to type for it."""

from collections.abc import Mapping
from typing import Any

from nsmc.runtime.encoders import encoder_settings
from nsmc.runtime.encoders.settings import needed_settings


class MisfitError(ValueError):
    """A checkpoint's state that this run cannot go on from, though its weights may be its own."""


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
