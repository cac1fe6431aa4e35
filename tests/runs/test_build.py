"""What is built from a configuration is built of plain values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runs.build import build_callbacks
from nsmc.training.checkpoints import BestCheckpoint


@pytest.mark.parametrize("name", ["plain", "of::two"])
def test_checkpoints_keep_the_name_of_their_folder_as_text(
    composed: Callable[..., dict[str, Any]], tmp_path: Path, name: str
) -> None:
    callbacks = build_callbacks(check_config(composed("data=sample")), tmp_path / name)
    (best,) = (each for each in callbacks if isinstance(each, BestCheckpoint))
    # A Path would be pickled into the checkpoint, which could then not be read.
    assert best.state_dict()["dirpath"] == str(tmp_path / name / "checkpoints")
