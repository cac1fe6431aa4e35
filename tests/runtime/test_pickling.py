"""Predictors in other processes: small, the same to the bit, built once in each process."""

import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nsmc.runtime import pickling
from nsmc.runtime.bundle import TOKENIZER_FILE, WEIGHTS_FILE
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.loading import Bundle
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.bundles import TOKENIZER, config_of, random_tensors
from tests.hostile import HOSTILE

TEXTS = [*HOSTILE, *(f"{'정말 재밌는 영화 ' * (row % 7)}{row}" for row in range(2_000))]


@pytest.fixture(autouse=True)
def nothing_restored() -> Iterator[None]:
    pickling._restored.clear()
    yield
    pickling._restored.clear()


def predictor_of(**changes: object) -> Predictor:
    config = config_of(**changes)
    return Predictor(Bundle(config, random_tensors(config), TOKENIZER))


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("cell", sorted(ENCODERS))
def test_its_logits_are_the_same_to_the_bit(cell: str, protocol: int) -> None:
    predictor = predictor_of(architecture=cell, pooling="attention", labels=("a", "b", "c"))
    copy = pickle.loads(pickle.dumps(predictor, protocol))
    assert copy is not predictor
    ids = predictor.encode(TEXTS)
    np.testing.assert_array_equal(copy.logits(copy.encode(TEXTS)), predictor.logits(ids))
    assert copy.config == predictor.config


def test_it_is_about_as_large_as_its_bundle_and_no_larger_once_it_has_answered() -> None:
    predictor = Predictor.load()
    files = sum((PRETRAINED / name).stat().st_size for name in (WEIGHTS_FILE, TOKENIZER_FILE))
    content = pickle.dumps(predictor)
    assert len(content) < 1.05 * files
    predictor(TEXTS)
    assert pickle.dumps(predictor) == content


def test_weights_that_float16_cannot_hold_stay_as_they_are() -> None:
    config = config_of()
    tensors = random_tensors(config)
    tensors["ln1.bias"][:] = 1e5, 1 / 3
    copy = pickle.loads(pickle.dumps(Predictor(Bundle(config, tensors, TOKENIZER))))
    for name, tensor in copy._bundle.tensors.items():
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, tensors[name])


def test_a_program_that_makes_numpy_raise_can_pickle_it() -> None:
    config = config_of()
    tensors = random_tensors(config)
    tensors["ln1.bias"][:] = 1e5, 1e-10
    with np.errstate(all="raise"):
        copy = pickle.loads(pickle.dumps(Predictor(Bundle(config, tensors, TOKENIZER))))
    np.testing.assert_array_equal(copy.logits([[]]), [tensors["ln1.bias"]])


def test_a_process_builds_it_once_and_keeps_two() -> None:
    contents = [pickle.dumps(predictor_of(hidden_size=size)) for size in (3, 4, 5)]
    first = pickle.loads(contents[0])
    assert pickle.loads(contents[0]) is first
    pickle.loads(contents[1])
    assert pickle.loads(contents[0]) is first
    pickle.loads(contents[2])
    assert pickle.loads(contents[0]) is first
    assert len(pickling._restored) == 2


class Shouting(Predictor):
    pass


def test_a_class_of_ones_own_stays_one() -> None:
    bundle = predictor_of()._bundle
    plain, own = (pickle.loads(pickle.dumps(each(bundle))) for each in (Predictor, Shouting))
    assert (type(plain), type(own)) == (Predictor, Shouting)


class Strict(Predictor):
    """One that is constructed with more than a bundle."""

    def __init__(self, bundle: Bundle, threshold: float) -> None:
        super().__init__(bundle)
        self.threshold = threshold


def test_what_a_class_of_ones_own_adds_is_pickled_too() -> None:
    bundle = predictor_of()._bundle
    copies = [pickle.loads(pickle.dumps(Strict(bundle, threshold))) for threshold in (0.7, 0.9)]
    assert [(type(each), each.threshold) for each in copies] == [(Strict, 0.7), (Strict, 0.9)]
    assert copies[0](TEXTS) == Predictor(bundle)(TEXTS)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")  # Python 3.12 and later
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_and_their_threads_answer_the_same(method: str, tmp_path: Path) -> None:
    predictor = Predictor.load()
    expected = predictor(TEXTS)
    parts = [TEXTS[start::3] for start in range(3)]
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        answers = list(pool.map(in_threads, [predictor] * 3, parts))
    for start, (found, was_built) in enumerate(answers):
        assert found == expected[start::3]
        assert was_built == (start == 0)


_seen = set[int]()


def in_threads(predictor: Predictor, texts: list[str]) -> tuple[list[object], bool]:
    """The answers, and whether this process had not had the predictor before."""
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(predictor, (texts[::2], texts[1::2])))
    answers: list[object] = [None] * len(texts)
    answers[::2], answers[1::2] = halves
    is_new = id(predictor) not in _seen
    _seen.add(id(predictor))
    return answers, is_new
