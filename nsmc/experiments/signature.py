"""The signature of a run: a digest of all that can change its result, and of nothing else."""

from pathlib import Path
from typing import Any

from nsmc.data.cache import digest_of, digest_of_file
from nsmc.experiments.schema import RunConfig

# Raised when the same configuration starts to give another result.
RESULTS_FORMAT = 1

_WITHOUT_EFFECT: dict[str, set[str]] = {
    "data": {"name", "root", "remote_files", "cache_dir", "train_file", "test_file"},
    "trainer": {"log_every_n_steps"},
    "callbacks": {"seconds_between_lines"},
}


def signature(config: RunConfig, corpus_fingerprint: str) -> str:
    """A short hexadecimal digest of the configuration and the corpus's content."""
    content: dict[str, Any] = config.model_dump(exclude={"logger", "ckpt_path", "test"})
    for section, keys in _WITHOUT_EFFECT.items():
        content[section] = {k: v for k, v in content[section].items() if k not in keys}
    if config.ckpt_path is not None:
        content["checkpoint"] = digest_of_file(Path(config.ckpt_path))
    return digest_of([RESULTS_FORMAT, corpus_fingerprint, content])
