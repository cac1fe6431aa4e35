"""What the YAML files can interpolate besides other keys, such as `${sample_root:}`."""

import functools
import secrets
from pathlib import Path

from omegaconf import OmegaConf

import nsmc.data

_LONGEST_NAME = 200  # bytes; file systems allow 255


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf; doing so twice changes nothing."""
    OmegaConf.register_new_resolver("sample_root", _sample_root, replace=True)
    OmegaConf.register_new_resolver("run_id", _run_id, replace=True)
    OmegaConf.register_new_resolver("folder_name", _folder_name, replace=True)


def _sample_root() -> str:
    """The folder of the sample corpus inside the installed package."""
    return str(Path(nsmc.data.__path__[0]) / "sample")


@functools.cache
def _run_id() -> str:
    """Four hexadecimal digits, the same throughout a process: two runs in one second differ."""
    return secrets.token_hex(2)


def _folder_name(text: str) -> str:
    """`text` as the name of one folder."""
    shortened = text.replace("/", "-").encode()[:_LONGEST_NAME]
    return shortened.decode(errors="ignore") or "default"
