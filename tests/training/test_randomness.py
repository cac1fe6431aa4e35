"""Every step draws random numbers of its own, whatever came before it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsmc.training.randomness import seed_generators, step_seed


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 10**7), st.integers(0, 8))))
def test_steps_have_seeds_of_their_own(keys: list[tuple[int, int, int]]) -> None:
    seeds = {key: step_seed(*key) for key in keys}
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed < 2**64 and seed == step_seed(*key) for key, seed in seeds.items())


def test_a_seed_is_what_numpy_makes_of_it() -> None:
    # Pinned: another one would change every result, which RESULTS_FORMAT would have to say.
    expected = np.random.SeedSequence([42, 7, 0]).generate_state(1, np.uint64)[0]
    assert step_seed(42, 7, 0) == int(expected)


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_a_gpu_that_is_used_gets_the_seed_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    gpu = getattr(torch, kind)
    monkeypatch.setattr(gpu, "manual_seed", seeds.append)
    seed_generators(5)
    assert seeds == [] and torch.initial_seed() == 5
    monkeypatch.setattr(gpu, "is_initialized", lambda: True)
    seed_generators(6)
    assert seeds == [6]
