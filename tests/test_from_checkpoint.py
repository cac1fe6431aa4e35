"""A new run from another one's checkpoint, or from its weights: it works, or what is advised does.

Each way that a refusal names is gone to its end.
"""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run as run_command
from tests.commands import train, write_corpus

ES = "callbacks.early_stopping.patience"
CONSTANT = ("logger=none", "model.schedule=constant")


def record_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def first(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs of a constant schedule, which stopped early or nearly did."""
    folder = tmp_path_factory.mktemp("a run") / "first"
    train(corpus, *CONSTANT, f"{ES}=3", "trainer.max_epochs=4", f"hydra.run.dir={folder}")
    return folder


def checkpoint(run: Path, name: str = "last.ckpt") -> str:
    (path,) = (run / "checkpoints").glob(name)
    return f"ckpt_path={path}"


def ways_out(said: str) -> list[list[str]]:
    """What a refusal advises to set, by way; an empty word for each setting to leave out."""
    (line,) = [line for line in said.splitlines() if "error: " in line]
    ways = line[line.index(": set ") + 2 :].split(", or ")
    assert all(way.startswith("set ") for way in ways), line
    return [shlex.split(way.removeprefix("set ")) for way in ways]


def gone(corpus: Path, settings: list[str], way: list[str], folder: Path) -> dict[str, Any]:
    """The record of the run that follows an advice."""
    if way[-3:] == ["instead", "of", "ckpt_path"]:
        settings = [word for word in settings if not word.startswith("ckpt_path=")]
        way = way[:-3]
    train(corpus, *settings, *way, f"hydra.run.dir={folder}")
    return record_of(folder)


@pytest.mark.parametrize(
    ("changes", "ways"),
    [
        (["trainer.max_epochs=4"], [["trainer.max_epochs=5"], ["init_from"]]),
        (["trainer.max_epochs=2"], [["trainer.max_epochs=5"], ["init_from"]]),
        (["model.lr=0.01"], [["model.lr=0.05"], ["init_from"]]),
        (
            ["model.lr=0.01", "model.schedule=cosine"],
            [["model.lr=0.05", "model.schedule=constant"], ["init_from"]],
        ),
        (["model.optimizer=adam"], [["model.optimizer=adamw"], ["init_from"]]),
        (["model.hidden_size=9"], [["model.hidden_size=8"]]),
        (["model=lstm"], [["model=gru"]]),
        (["data.vocab_size=290"], [["data.vocab_size=300"]]),
        (["seed=7"], [["data.split_seed=42"]]),
        (["data.label_map={0:a,1:b}"], [["data.label_map={0:negative"], ["init_from"]]),
        (["data.root=OTHER"], [["init_from"]]),
    ],
)
def test_a_refusal_s_ways_lead_to_their_end(
    corpus: Path, first: Path, tmp_path: Path, changes: list[str], ways: list[list[str]]
) -> None:
    (tmp_path / "other").mkdir()
    write_corpus(tmp_path / "other")
    with (tmp_path / "other" / "ratings_train.txt").open("a", encoding="utf-8") as file:
        file.write("99\t또 보자\t1\n")
    changes = [change.replace("OTHER", f"{tmp_path}/other") for change in changes]
    settings = [*CONSTANT, "trainer.max_epochs=5", checkpoint(first), *changes]
    refused = train(corpus, *settings, f"hydra.run.dir={tmp_path}/b", expect=1)
    advised = ways_out(refused.stderr)
    assert len(advised) == len(ways)
    for number, (way, expected) in enumerate(zip(advised, ways, strict=True)):
        for word in expected:
            assert any(each.startswith(word) for each in way), refused.stderr
        assert gone(corpus, settings, way, tmp_path / str(number))["status"] == "finished"


def test_steps_are_counted_as_well(corpus: Path, first: Path, tmp_path: Path) -> None:
    limits = ["trainer.max_epochs=2", "trainer.max_steps=7"]
    settings = [*CONSTANT, *limits, checkpoint(first), f"hydra.run.dir={tmp_path}/b"]
    ways = ways_out(train(corpus, *settings, expect=1).stderr)
    assert ways[0] == ["trainer.max_epochs=5", "trainer.max_steps=17"]


@pytest.mark.parametrize("name", ["last.ckpt", "epoch-*.ckpt"])
@pytest.mark.parametrize(
    "changes",
    [
        [f"{ES}=1"],
        ["data.batch_size=5"],
        ["test=false"],
        ["callbacks.averaging.decay=0.9"],
        ["callbacks.checkpoint.monitor=val/loss"],
        ["seed=7", "data.split_seed=42"],
    ],
)
def test_what_weights_do_not_depend_on_may_change(
    corpus: Path, first: Path, tmp_path: Path, name: str, changes: list[str]
) -> None:
    settings = [*CONSTANT, "trainer.max_epochs=6", checkpoint(first, name), *changes]
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/b")
    record = record_of(tmp_path / "b")
    assert record["status"] == "finished"
    # The checkpoint's epochs count among the six.
    assert record["history"][0] == record_of(first)["history"][0]


def test_a_planned_schedule_leads_to_the_weights(corpus: Path, tmp_path: Path) -> None:
    settings = ["logger=none", "trainer.max_epochs=1"]
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/a")
    more = ["logger=none", "trainer.max_epochs=3", checkpoint(tmp_path / "a")]
    said = train(corpus, *more, f"hydra.run.dir={tmp_path}/b", expect=1).stderr
    assert "was planned for 4 steps, this run has 12: keep trainer.max_epochs and the" in said
    way = shlex.split(said[said.index("set init_from") :])[1]
    assert gone(corpus, more, [way, "instead", "of", "ckpt_path"], tmp_path / "c")["epochs"] == 3


def test_a_checkpoint_alone_leads_to_no_run(corpus: Path, first: Path, tmp_path: Path) -> None:
    alone = tmp_path / "x" / "alone.ckpt"
    alone.parent.mkdir()
    alone.write_bytes((first / "checkpoints" / "last.ckpt").read_bytes())
    settings = [*CONSTANT, "trainer.max_epochs=5", f"ckpt_path={alone}"]
    refused = train(corpus, *settings, "model.lr=0.01", f"hydra.run.dir={tmp_path}/b", expect=1)
    assert ways_out(refused.stderr) == [["model.lr=0.05"]]


def test_an_unfinished_run_is_finished_first(corpus: Path, first: Path, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    shutil.copytree(first, run)
    shutil.rmtree(run / "bundle")
    record = json.dumps(record_of(run) | {"status": "interrupted"})
    (run / "run.json").write_text(record, encoding="utf-8")
    settings = [*CONSTANT, "trainer.max_epochs=5", checkpoint(run), "model.lr=0.01"]
    said = train(corpus, *settings, f"hydra.run.dir={tmp_path}/b", expect=1).stderr
    words = shlex.split(said[said.index("finish that run with ") :])
    assert words[6:10] == [f"resume={run}", "and", "set", f"init_from={run}"]
    run_command([sys.executable, "train.py", words[6]])
    way = [words[9], "instead", "of", "ckpt_path"]
    assert gone(corpus, settings, way, tmp_path / "c")["status"] == "finished"


@pytest.mark.parametrize("is_own", [True, False])
def test_the_new_run_s_patience_counts(corpus: Path, tmp_path: Path, is_own: bool) -> None:
    """Of our early stopping, and of Lightning's among the user's callbacks."""
    theirs = "+callbacks.extra.stop={_target_:pytorch_lightning.callbacks.EarlyStopping,"
    theirs += "monitor:val/accuracy,mode:max,patience:%d}"
    form = f"{ES}=%d" if is_own else theirs
    # No epoch is better than the first one by so much.
    least = "callbacks.early_stopping.min_delta=1.0"
    settings = [*CONSTANT, least, "trainer.max_epochs=12"]
    train(corpus, *settings[:-1], form % 9, "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}/a")
    start = checkpoint(tmp_path / "a")
    train(corpus, *settings, start, "model.lr=0.05", form % 2, f"hydra.run.dir={tmp_path}/b")
    assert record_of(tmp_path / "b")["epochs"] < 12
