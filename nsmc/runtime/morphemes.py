"""Texts as their morphemes, by Kiwi, a Korean morphological analyser.

"재미있는 영화군요" becomes "재미있VA 는ETM 영화NNG 이VCP 군요EF": each form with its tag behind it,
with spaces between. The tokenizer of a bundle whose configuration has `morphemes` reads this in the
place of the text. Needs the extra "morphemes": kiwipiepy and its model, both Apache-2.0.
"""

import functools
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nsmc.extras import needs_extra

_LONGEST = 10_000  # characters that are analysed; a hundred times those of most reviews

PACKAGES = ("kiwipiepy", "kiwipiepy_model")

_loading = (
    threading.Lock()
)  # Kiwi takes seconds and 300 MB: of threads that need it first, one loads it
if hasattr(os, "register_at_fork"):  # a fork would keep it locked where another thread is loading
    os.register_at_fork(
        before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release
    )


def analyser_versions() -> dict[str, str]:
    """The installed version of each of Kiwi's packages; raises ValueError without them."""
    from importlib.metadata import version  # here, as few need it, and it takes 15 ms

    _library()
    return {name: version(name) for name in PACKAGES}


def check_analyser(wanted: Mapping[str, str]) -> None:
    """Raises ValueError without Kiwi, or with another version: its morphemes may be others."""
    found = analyser_versions()
    if found != wanted:
        pins = " ".join(f"{name}=={number}" for name, number in wanted.items())
        raise ValueError(f"its morphemes are those of other versions: pip install {pins}")


def morphemes(texts: Sequence[str], *, in_threads: bool = False) -> Iterator[str]:
    """The morphemes of each text, in order; raises ValueError without Kiwi.

    Of a longer text the first 10,000 characters are read, and what UTF-8 cannot hold as "?". With
    `in_threads` many texts are analysed by a thread for each processor. These take seconds to
    start, and no process may be forked while they are there.
    """
    sound = (text[:_LONGEST].encode("utf-8", "replace").decode("utf-8") for text in texts)
    tokenize = (_library().Kiwi(num_workers=-1) if in_threads else _kiwi()).tokenize
    for found in tokenize(sound) if in_threads else map(tokenize, sound):
        yield " ".join("".join(f"{each.form}{each.tag}".split()) for each in found)


def _kiwi() -> Any:
    with _loading:
        return _loaded_kiwi()


@functools.cache
def _loaded_kiwi() -> Any:
    # Without threads of its own, for which a forked process would wait forever. That 0 means none
    # is what Kiwi warns of: before its 0.21 it meant one for each processor.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "behavior of `num_workers=0`", DeprecationWarning)
        return _library().Kiwi(num_workers=0)


def _library() -> Any:
    try:
        import kiwipiepy
    except ImportError:
        raise ValueError(needs_extra("reading morphemes", "morphemes")) from None
    return kiwipiepy
