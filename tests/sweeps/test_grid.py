"""How a sweep's arguments become jobs; tests/test_sweeps.py runs whole sweeps."""

import re
from typing import Any

import pytest

from nsmc.sweeps.grid import choices, combinations, drawn

LOADER: Any = None  # which only glob(*) asks


def test_each_combination_of_values_is_a_job() -> None:
    arguments = ["seed=1,2", "model=gru", "data.labels=[a,b],[c,d]"]
    assert combinations(LOADER, arguments) == [
        [f"seed={seed}", "model=gru", f"data.labels={labels}"]
        for seed in (1, 2)
        for labels in ("[a,b]", "[c,d]")
    ]


def test_a_yaml_file_has_the_values_of_a_sweep_as_lists() -> None:
    params = {
        "model.lr": [0.002, 1e-5],
        "seed": "1,2",
        "data": {"vocab_size": 300, "root": ["/가, 나", "b"], "labels": [["a", "나"]]},
        "model.embedding_rank": [None, 4],
        "test": False,
        "model": "glob(*)",
    }
    assert list(choices(params)) == [
        "model.lr=0.002,1e-05",
        "seed=1,2",
        "data.vocab_size=300",
        "data.root='/가, 나',b",
        "data.labels=[a,'나']",
        "model.embedding_rank=null,4",
        "test=false",
        "model=glob(*)",
    ]


@pytest.mark.parametrize(
    ("params", "jobs"),
    [
        ({"model.lr": [0.001, 0.002]}, ["model.lr=0.001", "model.lr=0.002"]),
        (
            {"model": {"embedding_rank": [None, 4]}},
            ["model.embedding_rank=null", "model.embedding_rank=4"],
        ),
        ({"seed": "1,2"}, ["seed=1", "seed=2"]),
        ({"seed": "range(1,4)"}, ["seed=1", "seed=2", "seed=3"]),
        ({"model.lr": "choice(0.1,null)"}, ["model.lr=0.1", "model.lr=null"]),
        ({"data.test_file": "choice('a b',null)"}, ["data.test_file='a b'", "data.test_file=null"]),
        ({"data.text_column": ["a,b", "c"]}, ["data.text_column='a,b'", "data.text_column=c"]),
        ({"notes": "${task}"}, ["notes=${task}"]),
        ({"tags": [["a"], []]}, ["tags=[a]", "tags=[]"]),
    ],
)
def test_a_yaml_file_s_values_are_jobs(params: dict[str, Any], jobs: list[str]) -> None:
    assert combinations(LOADER, [*choices(params)]) == [[job] for job in jobs]


def test_what_is_typed_counts_more_than_a_file() -> None:
    assert combinations(LOADER, [*choices({"seed": [1, 2]}), "seed=3"]) == [["seed=3"]]


def test_values_that_make_no_grid_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("model.lr=interval(0,1): a range without")):
        combinations(LOADER, ["model.lr=interval(0,1)"])
    with pytest.raises(ValueError, match=re.escape("hydra.sweeper.params: seed has no values")):
        list(choices({"seed": []}))
    for params, shown in (([1, 2], "[1,2]"), ("seed", "seed"), (3, "3")):
        line = f"hydra.sweeper.params={shown}: must be a mapping, {{KEY: [VALUE, VALUE]}}"
        with pytest.raises(ValueError, match=re.escape(line)):
            list(choices(params))


GRID = [[f"seed={seed}", f"model={model}"] for seed in range(50) for model in ("gru", "lstm")]


def test_a_draw_is_the_same_again_and_a_larger_one_adds_to_it() -> None:
    ten = drawn(GRID, 10, 0)
    assert ten == drawn(GRID, 10, 0) == [job for job in GRID if job in ten]
    assert len(ten) == 10 and all(job in drawn(GRID, 11, 0) for job in ten)
    assert drawn(GRID, 10, 1) != ten
    planned = drawn([[*job, "sweep.dry_run=true"] for job in GRID], 10, 0)
    assert [job[:-1] for job in planned] == ten
    assert drawn(GRID, 1000, 0) == drawn(GRID, None, 0) == GRID
    # More values in the grid move a job, and do not unchoose it where there is room for all.
    assert sorted(drawn(GRID[::-1], 10, 0)) == sorted(ten)


@pytest.mark.parametrize(
    ("number", "seed", "key"),
    [(0, 0, "random=0"), ("x", 0, "random=x"), (True, 0, "random=True"), (2, None, "seed=None")],
)
def test_a_number_to_draw_is_checked(number: Any, seed: Any, key: str) -> None:
    with pytest.raises(ValueError, match=rf"hydra\.sweeper\.{key}: must be a whole number"):
        drawn(GRID, number, seed)
