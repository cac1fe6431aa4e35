"""`nsmc explain`: on a terminal, for programs, as a page."""

import json
from pathlib import Path

import pytest

from nsmc.cli import main
from tests.cli.running import BAD, GOOD, refused


def test_texts_are_explained_in_order(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(bundle), GOOD, BAD]) == 0
    first, second = capsys.readouterr().out.split("\n\n  word")[0], GOOD
    assert first.splitlines()[0].startswith("positive  ")
    assert first.splitlines()[1].split() == second.split()


def test_for_programs_there_is_json(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(bundle), GOOD, "--json", BAD]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["label"] for each in found] == ["positive", "negative"]
    assert [word["text"] for word in found[0]["words"]] == GOOD.split()


def test_a_page_is_written_whole(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "why.html"
    assert main(["explain", str(bundle), "-_-", "--output", str(page)]) == 0
    assert "-_-" in page.read_text("utf-8")
    assert capsys.readouterr().out == ""


def test_what_cannot_be_explained_is_said(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no text to explain" in refused(["explain", str(bundle)], capsys)
    message = refused(["explain", str(bundle), GOOD, "--output", "why.txt"], capsys)
    assert "--output why.txt: it is an HTML page" in message
    assert "did you mean --json?" in refused(["explain", GOOD, "--jsn"], capsys)
