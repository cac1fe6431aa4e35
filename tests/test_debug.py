"""`debug=…` runs all of it on little, in a folder of its own that nothing else looks at."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose
from omegaconf import OmegaConf

from nsmc.config.composition import CONFIGS
from nsmc.config.hydra_releases import configurations_in
from nsmc.runs.resolvers import register_resolvers
from nsmc.runtime.locate import newest_bundle
from tests.commands import train

# As `hydra.run.dir` of configs/debug, but not in this clone.
PLACE = "hydra.run.dir={}/outputs/debug/run"


def debug(corpus: Path, out: Path, choice: str, *settings: str) -> dict[str, Any]:
    train(corpus, f"debug={choice}", PLACE.format(out), "logger=none", *settings)
    path = out / "outputs" / "debug" / "run" / "run.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_a_part_of_all(corpus: Path, tmp_path: Path) -> None:
    limits = [f"trainer.limit_{part}_batches=1" for part in ("train", "val", "test")]
    record = debug(corpus, tmp_path, "limit", *limits)
    assert (record["steps"], record["status"]) == (2, "finished")
    with pytest.raises(FileNotFoundError, match="there is no bundle"):
        newest_bundle(tmp_path / "outputs")


def test_batches_are_overfitted(corpus: Path, tmp_path: Path) -> None:
    record = debug(corpus, tmp_path, "overfit", "trainer.max_epochs=20")
    losses = [epoch["train/loss"] for epoch in record["history"]]
    assert losses[-1] < 0.1 * losses[0]


def test_a_profile_and_a_plain_epoch(corpus: Path, tmp_path: Path) -> None:
    debug(corpus, tmp_path, "profiler", "trainer.max_epochs=1")
    assert (tmp_path / "outputs" / "debug" / "run" / "fit-profile.txt").is_file()
    record = debug(corpus, tmp_path / "plain", "default", "trainer.max_epochs=1")
    assert record["config"]["trainer"]["detect_anomaly"] is True


def test_debugging_has_a_folder_of_its_own() -> None:
    register_resolvers()
    with configurations_in(CONFIGS):
        values = compose("train", ["debug=limit"], return_hydra_config=True)
    written = OmegaConf.to_container(values.hydra.run, resolve=False)
    assert ",outputs/debug/" in str(written)
