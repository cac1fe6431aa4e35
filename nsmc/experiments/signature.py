"""The signature of a run: a digest of all that can change its result, and of nothing else."""

from pathlib import Path
from typing import Any

from nsmc.data.cache import digest_of, digest_of_file
from nsmc.experiments.schema import DataConfig, RunConfig

# Raised when the same configuration starts to give another result.
RESULTS_FORMAT = 2

_SECTIONS_WITHOUT_EFFECT = {"logger", "sweep", "search", "ckpt_path", "resume"}
_KEYS_WITHOUT_EFFECT = {
    "data": {"name", "root", "remote_files", "cache_dir", "train_file", "test_file"},
    "trainer": {"log_every_n_steps", "threads"},
    "callbacks": {"seconds_between_lines"},
}


def signature(config: RunConfig, corpus_fingerprint: str) -> str:
    """A short hexadecimal digest of the configuration and the corpus's content.

    Raises FileNotFoundError where `ckpt_path`, whose content counts, is not there.
    """
    content: dict[str, Any] = config.model_dump(exclude=_SECTIONS_WITHOUT_EFFECT)
    for section, keys in _KEYS_WITHOUT_EFFECT.items():
        content[section] = {k: v for k, v in content[section].items() if k not in keys}
    del content["callbacks"]["checkpoint"]["minutes"]
    if config.ckpt_path is not None:
        if not Path(config.ckpt_path).is_file():
            raise FileNotFoundError(f"{config.ckpt_path}: no such checkpoint")
        content["checkpoint"] = digest_of_file(Path(config.ckpt_path))
    return digest_of([RESULTS_FORMAT, corpus_fingerprint, content])


def has_effect(key: str) -> bool:
    """Whether a configuration key can change a run's result."""
    section, _, rest = key.partition(".")
    if section in _SECTIONS_WITHOUT_EFFECT or key == "callbacks.checkpoint.minutes":
        return False
    return rest.partition(".")[0] not in _KEYS_WITHOUT_EFFECT.get(section, set())


def corpus_fingerprint(config: DataConfig) -> str:
    """The digest of the corpus's files, of those to be downloaded as they are published.

    Raises FileNotFoundError for a file that is neither there nor published.
    """
    return digest_of([_digest(config, config.train_file), _digest(config, config.test_file)])


def _digest(config: DataConfig, name: str) -> str:
    path = Path(config.root).expanduser() / name
    remote = (config.remote_files or {}).get(name)
    if remote is not None and not path.exists():
        return remote.sha256
    try:
        return digest_of_file(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is not there; set data.root") from None
