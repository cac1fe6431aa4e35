"""Nothing that the command prints is obeyed by a terminal."""

import io
import json
import sys
from pathlib import Path

import pytest

from nsmc.cli import main
from tests.cli.running import GOOD, refused, write_small_bundle

ESCAPE = "\x1b]0;title\x07\x1b[2J"


class Terminal(io.StringIO):
    """Stands for a terminal that keeps what it was told."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "words",
    [
        ["predict", f"/nowhere/{ESCAPE}", GOOD],
        ["predict", "pretrained", "--input", f"{ESCAPE}.txt"],
        ["evaluate", "pretrained", "--input", f"{ESCAPE}.tsv"],
        ["info", f"{ESCAPE}/bundle"],
        ["convert", ESCAPE, "--to", "float16"],
    ],
)
def test_an_error_quotes_nothing_that_a_terminal_would_obey(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(words, capsys)
    assert "\x1b" not in line and "\x07" not in line
    assert "]0;title" in line


def test_an_argument_that_is_refused_is_quoted_without_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["info", "pretrained", ESCAPE])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["tsv", "csv", "jsonl", "text"])
def test_answers_are_cleaned_on_a_terminal_and_left_alone_in_a_pipe(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text = f"최고 {ESCAPE}"
    content = {
        "tsv": f"document\n{text}\n",
        "csv": f"document\n{text}\n",
        "jsonl": json.dumps({"document": f"{text}\u2028\x9b"}) + "\n",
        "text": f"{text}\n",
    }
    source = tmp_path / "reviews"
    source.write_text(content[kind], encoding="utf-8", newline="")
    words = ["predict", str(bundle), "--input", str(source), "--format", kind]
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(words) == 0
    shown = terminal.getvalue()
    assert not any(char in shown for char in "\x1b\x07\x9b\u2028\r")
    assert shown.count("\n") == pipe.getvalue().count("\n")
    assert ("\\u001b" if kind == "jsonl" else "\x1b") in pipe.getvalue()


def test_a_bundle_s_names_are_cleaned_in_every_form_of_info(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small_bundle(tmp_path / "bundle")
    config = tmp_path / "bundle" / "config.json"
    content = json.loads(config.read_text()) | {"metrics": {f"{ESCAPE}\x9b\u202e": 0.5}}
    config.write_text(json.dumps(content))
    for words in (["info"], ["info", "--json"]):
        monkeypatch.setattr(sys, "stdout", terminal := Terminal())
        assert main([*words, str(tmp_path / "bundle")]) == 0
        assert not any(char in terminal.getvalue() for char in "\x1b\x07\x9b\u202e")
