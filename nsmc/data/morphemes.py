"""The texts that a tokenizer reads: as they are, or as their morphemes, analysed once and kept.

The analysis takes longer than all else before training, and several runs of a recipe need it.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from nsmc.data.cache import cached_folder, digest_of
from nsmc.data.preparation import Progress
from nsmc.runtime.morphemes import analyser_versions, morphemes

log = logging.getLogger(__name__)

_FORMAT = 1  # raised when the cached files change their meaning

_FILE = "morphemes.txt"

_MANY = 10_000  # texts, whose analysis takes longer than threads take to start


def texts_to_read(texts: Sequence[str], as_morphemes: bool, cache_dir: Path) -> Sequence[str]:
    """The texts, or the morphemes of each, which are kept under `cache_dir`.

    Raises ValueError where these are wanted and Kiwi is not installed, and OSError where
    `cache_dir` cannot be written.
    """
    if not as_morphemes:
        return texts
    key = digest_of([_FORMAT, analyser_versions(), digest_of(list(texts))])
    folder = cache_dir / f"morphemes-{key}"
    cached_folder(folder, lambda scratch: _analyse(scratch, texts))
    content = (folder / _FILE).read_text(encoding="utf-8")
    return content.split("\n")[:-1]


def _analyse(folder: Path, texts: Sequence[str]) -> None:
    log.info("analysing the morphemes of %s reviews", f"{len(texts):,}")
    progress = Progress(log, "analysing", len(texts))
    found = morphemes(texts, in_threads=len(texts) >= _MANY)
    with (folder / _FILE).open("w", encoding="utf-8", newline="\n") as file:
        for done, line in enumerate(found, start=1):
            file.write(f"{line}\n")
            if not done % 1000:
                progress.show(done)
    progress.show(len(texts))
