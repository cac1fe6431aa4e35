"""Jobs, plans, a recipe's steps and resume=auto prepare a run alike, and wait for no import."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runs.corpus_files import corpus_fingerprint
from nsmc.runs.prepare import prepare
from nsmc.runs.signature import signature

Composed = Callable[..., dict[str, Any]]


def test_a_prepared_run_knows_its_content(composed: Composed) -> None:
    config = check_config(composed("data=sample"))
    run = prepare(config, ["data=sample"])
    assert run.corpus_fingerprint == corpus_fingerprint(config.data, config.test)
    assert run.signature == signature(config, run.corpus_fingerprint)
    assert run.starting_checkpoint is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("init_from=nowhere", "init_from: nowhere: no such folder"),
        ("data.train_file=nowhere.txt", r"nowhere\.txt is not there; set data\.root"),
        ("ckpt_path=nowhere.ckpt", r"nowhere\.ckpt: no such checkpoint"),
    ],
)
def test_what_a_run_needs_is_looked_for(composed: Composed, override: str, message: str) -> None:
    with pytest.raises(FileNotFoundError, match=message):
        prepare(check_config(composed("data=sample", override)))


def test_unlabelled_reviews_are_fetched_for_a_run_that_begins_and_for_no_plan(
    composed: Composed, tmp_path: Path
) -> None:
    overrides = ["data=sample", "experiment=pretrain", "data.unlabelled_file=absent.txt"]
    config = check_config(composed(*overrides))
    assert prepare(config).signature
    with pytest.raises(FileNotFoundError, match=r"absent\.txt"):
        prepare(config, download=True)


def test_neither_a_plan_nor_a_resumption_waits_for_torch() -> None:
    modules = "nsmc.runs.prepare, nsmc.runs.resume, nsmc.runs.resolvers, nsmc.sweeps.sweep"
    code = f"import sys, {modules}; sys.exit(bool({{'torch', 'optuna'}} & {{*sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
