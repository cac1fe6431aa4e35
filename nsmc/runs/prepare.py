"""The first step of a run: checks what it needs, and identifies it by its content.

Nothing is trained yet, and nothing heavy imported: a sweep's plan prepares every job.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nsmc.config.schema import RunConfig
from nsmc.runs.corpus_files import Fingerprint, check_files, corpus_fingerprint, files_of
from nsmc.runs.signature import signature
from nsmc.runs.sources import check_held_out, check_sources


@dataclass(frozen=True)
class PreparedRun:
    """A run that can begin.

    `corpus_fingerprint` and `starting_checkpoint` are digests of files, the `signature` one of all
    that can change the result.
    """

    config: RunConfig
    corpus_fingerprint: str
    signature: str
    starting_checkpoint: str | None = None


def prepare(
    config: RunConfig,
    overrides: Sequence[str] = (),
    *,
    download: bool = False,
    starting_checkpoint: str | None = None,
    fingerprint: Fingerprint = corpus_fingerprint,
) -> PreparedRun:
    """Check what the run starts from and learns from, and give the run its signature.

    `overrides` are what was typed, which counts for a recipe. `download` is for a run that begins:
    its unlabelled reviews are fetched, as the signature is that of their content.
    `starting_checkpoint` is the digest of `ckpt_path`, where that is known. Raises ValueError or
    OSError, in one line, for what a user can mend.
    """
    check_inputs(config)
    if download and config.data.unlabelled:
        files_of(config).fetch()
    corpus = fingerprint(config.data, config.test)
    check_held_out(config, corpus)
    key = signature(config, corpus, starting_checkpoint, overrides)
    return PreparedRun(config, corpus, key, starting_checkpoint)


def check_inputs(config: RunConfig) -> None:
    """Look for the corpus and for what the run starts from and learns from; reads none of it whole.

    Raises what `check_sources` and `check_files` raise.
    """
    check_sources(config)
    check_files(config.data, config.test)
