"""Names for the folders of a sweep's jobs: readable, and never the same for two jobs."""

import re
from collections.abc import Container, Sequence

from nsmc.config.effects import has_effect

_IN_NO_SECTION = ("seed", "test")  # keys without a dot that are no groups
_LONGEST = 150  # bytes; file systems allow 255
_UNWELCOME = re.compile(r"[^\w.+-]+")  # in a file's name, in a shell or in an override


def job_name(overrides: Sequence[str], shared: Container[str], signature: str) -> str:
    """Such as `lstm_hidden_size-64_seed-1_3fa9c1`: what was chosen, and the signature's start.

    Of the overrides that are `shared` by all jobs only the choices of groups are named.
    """
    pairs = [override.split("=", 1) for override in overrides if "=" in override]
    told = [(k, v) for k, v in pairs if f"{k}={v}" not in shared or _is_group(k)]
    parts = [_part(key.lstrip("+~"), value) for key, value in told]
    chosen = "_".join(filter(None, parts)) or "default"
    shortened = chosen.encode()[:_LONGEST].decode(errors="ignore")
    return f"{shortened}_{signature[:6]}"


def _part(key: str, value: str) -> str:
    if not has_effect(key) or key == "ckpt_path":
        return ""
    value = _UNWELCOME.sub("-", value).strip("-")
    # A group's choice, such as model=gru, says enough by itself.
    return value if _is_group(key) else f"{key.rpartition('.')[2]}-{value}"


def _is_group(key: str) -> bool:
    return "." not in key and key not in _IN_NO_SECTION
