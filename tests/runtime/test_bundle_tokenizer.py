"""A tokenizer is pickled, and read where the library can."""

import pickle

import pytest

from nsmc.runtime import tokenizer as module
from nsmc.runtime.loading import read_tokenizer
from tests.bundles import TOKENIZER, TOKENIZER_FILE

TEXT = "정말 재미있는 영화"


def test_in_its_own_process_a_pickled_tokenizer_is_the_same_one() -> None:
    assert pickle.loads(pickle.dumps(TOKENIZER)) is TOKENIZER


def test_elsewhere_it_is_one_that_gives_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    pickled = pickle.dumps(TOKENIZER)
    monkeypatch.setattr(module, "_in_this_process", {})
    copy = pickle.loads(pickled)
    assert copy is not TOKENIZER
    assert copy.encode(TEXT) == TOKENIZER.encode(TEXT)
    assert (copy.vocab_size, copy.replaces) == (TOKENIZER.vocab_size, TOKENIZER.replaces)


def test_a_fork_in_which_the_library_would_hang_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEFORE_1", False)
    monkeypatch.setattr(module, "_first_reader", -1)
    with pytest.raises(RuntimeError, match="read the bundle before the fork"):
        read_tokenizer(TOKENIZER_FILE)
    assert pickle.loads(pickle.dumps(TOKENIZER)) is TOKENIZER  # needs no reading
