"""What `nsmc info` says of a bundle is what its files hold."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from nsmc.runtime.info import as_text, info
from tests.bundles import random_bundle

COMMAND = "python train.py model.architecture=lstm  # the command"


def of(folder: Path, **changes: Any) -> dict[str, Any]:
    return info(random_bundle(folder / "bundle", **changes))


def test_it_holds_what_the_configuration_and_the_files_say(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        command=COMMAND,
        architecture="lstm",
        num_layers=2,
        bidirectional=True,
        pooling="attention",
        labels=("별로", "추천"),
        metrics={"test/accuracy": 0.875},
        signature="0123abcd",
    )
    folder = tmp_path / "bundle"
    assert found["network"] == {
        "architecture": "lstm",
        "hidden_size": 7,
        "num_layers": 2,
        "bidirectional": True,
        "embedding_dim": 5,
        "pooling": "attention",
    }
    assert found["parameters"] == sum(
        tensor.size for tensor in load_file(folder / WEIGHTS_FILE).values()
    )
    assert found["labels"] == ["별로", "추천"]
    assert found["metrics"] == {"test/accuracy": 0.875}
    assert found["command"] == COMMAND
    assert found["bytes"] == {path.name: path.stat().st_size for path in folder.iterdir()}
    assert found["sha256"] == {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in (WEIGHTS_FILE, TOKENIZER_FILE)
    }


def test_it_says_who_taught_a_student_and_what_is_not_known_of_that(tmp_path: Path) -> None:
    entry: dict[str, Any] = {"count": 3, "with_morphemes": 0, "morphemes": {}, "unknown": 0}
    morphemes = {"with_morphemes": 1, "morphemes": {"kiwipiepy": ["0.24.1"]}, "unknown": 2}
    shown = as_text(of(tmp_path / "of-bytes", teachers=entry))
    assert f"{'taught by':<24}3 teachers\n" in shown
    shown = as_text(of(tmp_path / "of-both", teachers=entry | morphemes))
    assert f"{'taught by':<24}3 teachers (1 with morphemes, 2 unknown)\n" in shown
    behind = {"morphemes": {"kiwipiepy": ["0.24.1"]}, "unknown": True}
    none = {"count": 0, "with_morphemes": 0, "morphemes": {}, "unknown": 0}
    shown = as_text(of(tmp_path / "inherited", teachers={**none, "inherited": behind}))
    who = "taught by teachers (some with morphemes, some unknown)"
    assert f"{'initial weights':<24}{who}\n" in shown
    assert "\nteachers' morphemes     by kiwipiepy 0.24.1\n" in shown
    assert f"{'taught by':<24}" not in shown


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_weights_type_shows_in_their_size(tmp_path: Path, dtype: str) -> None:
    found = of(tmp_path, dtype=dtype)
    assert found["weights"] == dtype
    data = found["parameters"] * (2 if dtype == "float16" else 4)
    assert data < found["bytes"][WEIGHTS_FILE] < data + 4096


def test_it_is_json_and_back(tmp_path: Path) -> None:
    found = of(tmp_path, metrics={"test/accuracy": 0.875}, labels=("별로", "추천"))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize("bidirectional", [False, True])
def test_as_text_says_it_in_a_line_each(tmp_path: Path, bidirectional: bool) -> None:
    found = of(tmp_path, command=COMMAND, bidirectional=bidirectional, metrics={"test/f1": 0.98765})
    text = as_text(found)
    assert "GRU 7, 1 layer(s)" in text
    assert ("both directions" if bidirectional else "one direction") in text
    assert f"{found['parameters']:,} (float32)" in text
    assert "negative, positive" in text
    assert "python train.py model.architecture=lstm" in text
    assert "0.9877" in text


def test_an_encoder_and_a_bundle_without_a_card_are_described_too(tmp_path: Path) -> None:
    found = of(tmp_path, labels=())
    (tmp_path / "bundle" / "README.md").unlink()
    assert found["labels"] == []
    text = as_text(info(tmp_path / "bundle"))
    assert "a pretrained encoder" in text
    assert "not known" in text


@pytest.mark.parametrize("name", ["test/accuracy", "test/auroc", "val/accuracy", "test/loss"])
def test_a_metric_s_name_and_its_value_stand_apart(tmp_path: Path, name: str) -> None:
    text = as_text(of(tmp_path, metrics={name: 0.5}))
    assert f"{name} " in text
    assert text.endswith(" 0.5000")


@pytest.mark.parametrize("value", [None, "0.9", [0.9], {"a": 1}, True, 1, "NaN", 10**400, 1e308])
def test_metrics_of_any_kind_do_not_end_in_a_traceback(tmp_path: Path, value: object) -> None:
    folder = random_bundle(tmp_path / "bundle")
    content = json.loads((folder / CONFIG_FILE).read_text())
    content["metrics"] = {"test/accuracy": value}
    (folder / CONFIG_FILE).write_text(json.dumps(content))
    try:
        text = as_text(info(folder))
    except ValueError as error:  # a refusal must say of which file
        assert CONFIG_FILE in str(error)
    else:
        assert "test/accuracy" in text


def test_names_and_commands_reach_no_terminal_as_they_are(tmp_path: Path) -> None:
    escape = "\x1b]0;title\x07\x1b[2J"
    metrics, signature = {f"test/{escape}": 0.5}, escape
    command = f"python train.py{escape}"
    text = as_text(of(tmp_path, command=command, metrics=metrics, signature=signature))
    assert "\x1b" not in text and "\x07" not in text
    assert "python train.py\N{REPLACEMENT CHARACTER}]0;title" in text


def test_an_altered_bundle_is_refused(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle")
    with (folder / WEIGHTS_FILE).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match="altered"):
        info(folder)


def test_of_many_labels_a_few_are_named(tmp_path: Path) -> None:
    found = of(tmp_path, labels=tuple(f"별 {number}" for number in range(1_012)))
    assert "별 8, 별 9 and 1,002 more\n" in as_text(found)
    assert len(found["labels"]) == 1_012
