"""What a run finds out about its teachers, and what it takes for unknown."""

from pathlib import Path
from typing import Any

import pytest

from nsmc.runs.record import write_record
from nsmc.runs.teachers import teachers_of
from tests.bundles import random_bundle

VERSIONS = {"kiwipiepy": "0.24.1", "kiwipiepy_model": "0.24.0"}
READ = {name: [number] for name, number in VERSIONS.items()}


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
    tmp_path: Path, config: dict[str, Any] | None, unknown: int
) -> None:
    bundle = random_bundle(tmp_path / "run" / "bundle")
    if config is not None:
        write_record(tmp_path / "run", {"config": config})
    assert teachers_of([str(bundle)]) == entry(unknown)


@pytest.mark.parametrize(
    ("task", "found"),
    [("linear", entry(0, READ)), ("classify", entry(1))],  # that file is not of such a run
)
def test_a_file_of_soft_labels_is_known_by_the_linear_run_that_made_it(
    tmp_path: Path, task: str, found: dict[str, Any]
) -> None:
    (tmp_path / "soft_labels.tsv").write_text("id\tprobability\n", encoding="utf-8")
    config = {"task": task, "data": {"morphemes": True}}
    write_record(tmp_path, {"config": config, "versions": VERSIONS})
    assert teachers_of([str(tmp_path)]) == found


def test_a_version_that_no_bundle_may_hold_is_refused_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "soft_labels.tsv").write_text("id\tprobability\n", encoding="utf-8")
    config = {"task": "linear", "data": {"morphemes": True}}
    odd = {**VERSIONS, "kiwipiepy": "0.24.1 (local build)"}
    write_record(tmp_path, {"config": config, "versions": odd})
    with pytest.raises(ValueError, match="expected versions of packages"):
        teachers_of([str(tmp_path)])


def test_a_run_that_starts_from_a_students_weights_inherits_its_teachers(tmp_path: Path) -> None:
    student = random_bundle(tmp_path / "student", teachers=entry(0, READ))
    plain = random_bundle(tmp_path / "plain")
    write_record(tmp_path, {"config": {"distill": {"teachers": []}}})
    assert teachers_of([], str(student)) == {**entry(0, READ), "inherited": True}
    assert teachers_of([], str(plain)) is None
    assert teachers_of([]) is None


def test_what_it_starts_from_is_one_more_teacher_where_it_knows_more(tmp_path: Path) -> None:
    write_record(tmp_path, {"config": {"distill": {"teachers": []}}})
    plain = str(random_bundle(tmp_path / "plain"))
    reader = str(random_bundle(tmp_path / "reader", teachers=entry(0, READ)))
    unknown = str(random_bundle(tmp_path / "unknown", teachers=entry(1)))
    assert teachers_of([plain], reader) == {**entry(0, READ), "count": 2}
    assert teachers_of([plain], unknown) == {**entry(1), "count": 2}
    assert teachers_of([reader], reader) == entry(0, READ)
    assert teachers_of([reader, unknown], unknown) == {**entry(1, READ), "count": 2}
