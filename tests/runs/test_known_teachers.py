"""What a run finds out about its teachers, and what it takes for unknown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runs.record import write_record
from nsmc.runs.teachers import teachers_of
from tests.bundles import random_bundle

VERSIONS = {"kiwipiepy": "0.24.1", "kiwipiepy_model": "0.24.0"}
READ = {name: [number] for name, number in VERSIONS.items()}


Known = Callable[..., dict[str, Any] | None]


@pytest.fixture
def known(composed: Callable[..., dict[str, Any]]) -> Known:
    """What a run with these teachers says of them."""

    def of(teachers: list[str], **start: str) -> dict[str, Any] | None:
        config = composed()
        config["distill"]["teachers"] = teachers
        return teachers_of(check_config({**config, **start}))

    return of


def entry(unknown: int, morphemes: dict[str, list[str]] | None = None) -> dict[str, Any]:
    kept = morphemes or {}
    return {"count": 1, "with_morphemes": int(bool(kept)), "morphemes": kept, "unknown": unknown}


@pytest.mark.parametrize(
    ("config", "unknown"),
    [
        ({"distill": {"teachers": []}}, 0),
        ({"distill": {"teachers": ["of/before"]}}, 1),  # a student from before the entry
        ({}, 1),
        (None, 1),  # no record at all
    ],
)
def test_a_bundle_that_says_nothing_is_known_by_its_run(
    tmp_path: Path, known: Known, config: dict[str, Any] | None, unknown: int
) -> None:
    bundle = random_bundle(tmp_path / "run" / "bundle")
    if config is not None:
        write_record(tmp_path / "run", {"config": config})
    assert known([str(bundle)]) == entry(unknown)


@pytest.mark.parametrize(
    ("task", "found"),
    [("linear", entry(0, READ)), ("classify", entry(1))],  # that file is not of such a run
)
def test_a_file_of_soft_labels_is_known_by_the_linear_run_that_made_it(
    tmp_path: Path, known: Known, task: str, found: dict[str, Any]
) -> None:
    (tmp_path / "soft_labels.tsv").write_text("id\tprobability\n", encoding="utf-8")
    config = {"task": task, "data": {"morphemes": True}}
    write_record(tmp_path, {"config": config, "versions": VERSIONS})
    assert known([str(tmp_path)]) == found


def test_a_version_that_no_bundle_may_hold_is_refused_before_the_training(
    tmp_path: Path, known: Known
) -> None:
    (tmp_path / "soft_labels.tsv").write_text("id\tprobability\n", encoding="utf-8")
    config = {"task": "linear", "data": {"morphemes": True}}
    odd = {**VERSIONS, "kiwipiepy": "0.24.1 (local build)"}
    write_record(tmp_path, {"config": config, "versions": odd})
    with pytest.raises(ValueError, match="expected versions of packages"):
        known([str(tmp_path)])


NONE = {"count": 0, "with_morphemes": 0, "morphemes": {}, "unknown": 0}


def behind(unknown: bool, morphemes: dict[str, list[str]] | None = None) -> dict[str, Any]:
    return {"inherited": {"morphemes": morphemes or {}, "unknown": unknown}}


def test_a_run_that_starts_from_a_student_s_weights_inherits_its_teachers(
    tmp_path: Path, known: Known
) -> None:
    student = str(random_bundle(tmp_path / "student", teachers=entry(0, READ)))
    plain = str(random_bundle(tmp_path / "plain"))
    assert known([], init_from=student) == NONE | behind(False, READ)
    assert known([student], init_from=student) == entry(0, READ) | behind(False, READ)
    assert known([student], init_from=plain) == entry(0, READ)
    assert known([], init_from=plain) is None


def test_they_are_inherited_through_all_runs_before(tmp_path: Path, known: Known) -> None:
    before = entry(0, READ) | behind(True, {"kiwipiepy": ["0.22.0"]})
    student = str(random_bundle(tmp_path / "student", teachers=before))
    both = READ | {"kiwipiepy": ["0.22.0", "0.24.1"]}
    assert known([], init_from=student) == NONE | behind(True, both)
    assert known([student]) == entry(1, both)


def test_a_student_from_before_the_entry_is_known_by_its_run(tmp_path: Path, known: Known) -> None:
    bundle = str(random_bundle(tmp_path / "run" / "bundle"))
    write_record(tmp_path / "run", {"config": {"distill": {"teachers": ["of/before"]}}})
    for start in (bundle, str(tmp_path / "run")):
        assert known([], init_from=start) == NONE | behind(True)


@pytest.mark.parametrize("has_ended", [True, False])
def test_what_goes_on_from_a_checkpoint_inherits_its_teachers(
    tmp_path: Path, known: Known, has_ended: bool
) -> None:
    (tmp_path / "run").mkdir()
    write_record(tmp_path / "run", {"config": {"distill": {"teachers": ["teacher"]}}})
    if has_ended:
        random_bundle(tmp_path / "run" / "bundle", teachers=entry(0, READ))
    found = known([], ckpt_path=str(tmp_path / "run" / "checkpoints" / "last.ckpt"))
    assert found == NONE | (behind(False, READ) if has_ended else behind(True))
    assert known([], ckpt_path=str(tmp_path / "elsewhere" / "checkpoints" / "last.ckpt")) is None


def test_a_run_that_has_not_ended_says_in_its_record_what_it_inherited(
    tmp_path: Path, known: Known
) -> None:
    (tmp_path / "run").mkdir()
    write_record(tmp_path / "run", {"teachers": NONE | behind(False, READ)})
    found = known([], ckpt_path=str(tmp_path / "run" / "checkpoints" / "last.ckpt"))
    assert found == NONE | behind(False, READ)
    write_record(tmp_path / "run", {"teachers": {"count": "many"}})
    assert known([], ckpt_path=str(tmp_path / "run" / "checkpoints" / "last.ckpt")) is None


def test_a_checkpoint_s_weights_count_and_not_those_of_init_from(
    tmp_path: Path, known: Known
) -> None:
    random_bundle(tmp_path / "run" / "bundle", teachers=entry(0, READ))
    plain = str(random_bundle(tmp_path / "plain"))
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "last.ckpt").touch()
    (tmp_path / "link.ckpt").symlink_to(tmp_path / "run" / "checkpoints" / "last.ckpt")
    found = known([], init_from=plain, ckpt_path=str(tmp_path / "link.ckpt"))
    assert found == NONE | behind(False, READ)


def test_a_damaged_bundle_beside_a_checkpoint_is_no_hindrance(tmp_path: Path, known: Known) -> None:
    checkpoint = str(tmp_path / "run" / "checkpoints" / "last.ckpt")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    assert known([], ckpt_path=checkpoint) is None
    random_bundle(tmp_path / "run" / "bundle", teachers=entry(0, READ))
    (tmp_path / "run" / "bundle" / "config.json").write_text("{", encoding="utf-8")
    assert known([], ckpt_path=checkpoint) == NONE | behind(True)
