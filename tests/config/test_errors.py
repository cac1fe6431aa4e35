"""Where the system refuses to write or to lock, the line has the place and a way out."""

import errno
import fcntl
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.errors import HydraException

from nsmc.config.composition import CONFIGS
from nsmc.config.composition import composed as composed_config
from nsmc.config.errors import describe
from nsmc.config.hydra_releases import configurations_in
from nsmc.data.cache import cached_folder, save_array
from nsmc.runs.logs import LogFile
from nsmc.runs.record import is_locked, occupied

REFUSALS = ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "ENOLCK")


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_the_place_and_the_way_out(name: str) -> None:
    number = getattr(errno, name)
    line = describe(OSError(number, os.strerror(number), "outputs/runs/a/.hydra"))
    assert line.startswith(f"outputs/runs/a/.hydra: {os.strerror(number)}; ")
    assert line.endswith(", or choose another place")
    assert "Errno" not in line


def test_without_a_name_the_place_is_the_folder_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert describe(error).startswith("the run's folder: No space left on device; make room there")
    handlers = [LogFile(tmp_path / "train.log", delay=True)]
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers)
    assert describe(error).startswith(f"{tmp_path}: No space left on device; make room there")


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_runs_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No locks") as raised, occupied(tmp_path):
        pass
    line = describe(raised.value)
    assert line.startswith(f"{tmp_path / '.lock'}: No locks available; choose a file system that")
    (tmp_path / ".lock").touch()
    assert not is_locked(tmp_path / ".lock")


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_cache_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"{tmp_path / 'a'}: No locks available; .*data.cache_dir"):
        cached_folder(tmp_path / "a", Path.touch)


def test_an_array_that_a_full_disk_refuses_says_why() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("only Linux has a device that is always full")
    with pytest.raises(OSError, match="No space left on device") as raised:
        save_array(full, np.arange(100_000))
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("hydra.sweeper.sede", "did you mean hydra.sweeper.seed?"),
        ("hydra.sweeper.zzz", "hydra.sweeper has params, random, seed"),
        ("hydra.swepper", "did you mean hydra.sweeper?"),
    ],
)
def test_of_an_unknown_key_of_hydra_s_own_the_known_ones_are_named(key: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{key}: no such key; {advice}")):
        composed_config([f"{key}=1"])


@pytest.mark.parametrize("override", ["callbacks.checkpoint=[1]", "model.filter_widths={a:1}"])
def test_a_list_in_the_place_of_keys_is_named(
    composed: Callable[..., dict[str, Any]], override: str
) -> None:
    with pytest.raises(HydraException) as raised:
        composed("model=cnn", override)
    assert describe(raised.value).startswith(f"{override}: a list cannot take the place of keys")


def test_a_list_in_the_place_of_a_step_s_choices_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    step = "# @package _global_\ndefaults: [best, _self_]\nrecipe: {steps: {student: [x]}}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(step)
    with (
        configurations_in(CONFIGS),
        pytest.raises(ValueError, match=r"^experiment/mine: a list cannot take the place of keys"),
    ):
        composed_config([f"hydra.searchpath=[file://{tmp_path}]", "experiment=mine"])


def test_null_as_a_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mine.yaml").write_text("defaults: [nsmc, _self_]\nlabel_map: {~: a, 1: b}\n")
    with (
        configurations_in(CONFIGS),
        pytest.raises(ValueError, match=r"^label_map: null, or ~, is no key; text is written in"),
    ):
        composed_config([f"hydra.searchpath=[file://{tmp_path}]", "data=mine"])
