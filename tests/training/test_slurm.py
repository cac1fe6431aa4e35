"""A Slurm job asks once to run again, by its own number or that of its array."""

from pathlib import Path

import pytest

from nsmc.training import slurm

JOB = {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "12"}
ARRAY = {"SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "3"}


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, "requeue 12"),
        (ARRAY, "requeue 10_3"),
        ({"SLURM_PROCID": "1"}, ""),
        ({"SLURM_JOB_NAME": "interactive"}, ""),
        ({slurm.ASKED_BY_PARENT: "1"}, ""),
    ],
)
def test_the_first_process_of_a_job_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], asked: str
) -> None:
    for name, value in (JOB | changes).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    log = tmp_path / "asked"
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    (tmp_path / "scontrol").chmod(0o755)
    slurm.requeue()
    assert (log.read_text().strip() if log.exists() else "") == asked


def test_without_scontrol_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (JOB | {"PATH": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    slurm.requeue()
    assert "the job is not in the queue again" in caplog.text
