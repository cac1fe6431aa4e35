"""What cannot be in a checkpoint of this program is refused before anything is made of it."""

import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from nsmc.training.checkpoint_state import check_content, is_number
from nsmc.training.checkpoints import load_checkpoint


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state_dict": {"a": 1}}, "state_dict has more than tensors"),
        ({"state_dict": {"a": torch.zeros(1).expand(10**12)}}, "a tensor without its numbers"),
        ({"state_dict": {5: torch.zeros(3)}}, "state_dict has a name that is no text"),
        ({"callbacks": {10**5_000: {}}}, "callbacks has a name that is no text"),
        ({"hyper_parameters": {"classifier": {"hidden_size": 10**9}}}, "hidden_size=1000000000"),
        ({"hyper_parameters": 7}, "hyper_parameters is no dict"),
        ({"callbacks": {"a": 1}}, "callbacks has more than states"),
        ({"loops": {"fit_loop": {"total": "x"}}}, "loops has more than counts"),
        ({"global_step": -1}, "global_step is no count"),
        ({"hyper_parameters": {"encoder": {"dropout": 10**400}}}, "that no float holds"),
        ({"callbacks": {"TrainingProgress": {"history": [{"loss": -(10**5_000)}]}}}, "no float"),
        ({"optimizer_states": [{"param_groups": [{"lr": 10**400}]}]}, "that no float holds"),
        ({"epoch": [[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]}, "nested too deeply"),
    ],
)
def test_what_no_checkpoint_of_ours_holds_is_refused(changes: dict[str, Any], why: str) -> None:
    content = {"hyper_parameters": {}, "state_dict": {"a": torch.zeros(3)}, "epoch": 0}
    check_content(content)
    with pytest.raises(ValueError, match=why):
        check_content(content | changes)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), math.inf, math.nan, 2.0**53, True, "1"], ids=range(7)
)
def test_what_is_no_number(value: object) -> None:
    assert not is_number(value)
    assert is_number(1) and is_number(-0.5)


def test_a_list_that_contains_another_many_times_is_read_once() -> None:
    nested: list[Any] = ["x"]
    for _ in range(15):  # 10 ** 15 strings, to whoever follows every path to them
        nested = [nested] * 10
    with pytest.raises(ValueError, match="loops has more than counts"):
        check_content({"hyper_parameters": {}, "state_dict": {}, "loops": {"fit_loop": nested}})


def test_a_compressed_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", bytes(1_000_000))
    with pytest.raises(ValueError, match="it is compressed"):
        load_checkpoint(str(path))
