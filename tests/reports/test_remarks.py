"""Runs are chosen by their tags, and their notes can be read in the report."""

from pathlib import Path

import pytest

from nsmc.reports.report import write_report
from tests.reports.factories import record, write


def test_a_report_of_the_runs_with_a_tag(tmp_path: Path) -> None:
    write(tmp_path / "a", record(0.8, tags=["base", "논문"], notes="the <first> one", seed=1))
    write(tmp_path / "b", record(0.9, tags=["base"], notes=None, model__lr=0.1))
    write(tmp_path / "c", record(0.7, tags='["x"', model__lr=0.2))  # edited by somebody
    whole = write_report([tmp_path])
    assert "a: [base, 논문] the <first> one" in whole and "b: [base]" in whole
    assert "3 finished runs" in whole
    tagged = write_report([tmp_path], tags=["base", "논문"])
    assert "1 finished run" in tagged and "b: [base]" not in tagged
    assert "runs with the tag base and the tag 논문 alone" in tagged
    # The whole report is what it was.
    assert len((tmp_path / "leaderboard.csv").read_text(encoding="utf-8").splitlines()) == 4
    page = (tmp_path / "report_base_논문" / "report.html").read_text(encoding="utf-8")
    assert "[base, 논문] the &lt;first&gt; one" in page
    with pytest.raises(ValueError, match="--tag y: no such run; the runs have base, 논문"):
        write_report([tmp_path], tags=["y"])
