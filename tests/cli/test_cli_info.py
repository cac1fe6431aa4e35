"""`nsmc info`, with `--json` and without."""

import json
from pathlib import Path

import pytest

from nsmc.cli import main
from tests.cli.running import refused


def test_info_says_the_same_of_a_bundle_and_of_its_run_with_json_and_without(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(bundle.parent)]) == 0
    assert "GRU 4, 1 layer(s), one direction" in capsys.readouterr().out
    assert main(["info", str(bundle), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["folder"] == str(bundle)
    assert content["labels"] == ["negative", "positive"]
    assert "no such folder" in refused(["info", "nowhere"], capsys)
