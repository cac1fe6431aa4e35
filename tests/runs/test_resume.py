"""What of a run's record its resumption takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.schema import check_config
from nsmc.runs.record import write_record
from nsmc.runs.resume import named_folder, resumed_config, with_own_model

Composed = Callable[..., dict[str, Any]]


def begun(folder: Path, composed: Composed, *overrides: str, **changes: Any) -> None:
    """Leave the record of a run that was interrupted."""
    config = {**check_config(composed(*overrides)).model_dump(), **changes}
    write_record(folder, {"status": "interrupted", "config": config, "overrides": list(overrides)})


def test_a_recipe_goes_on_with_its_steps(composed: Composed, tmp_path: Path) -> None:
    begun(tmp_path, composed, "experiment=best", "seed=7")
    config = resumed_config(tmp_path, composed(), [])
    assert config.recipe == check_config(composed("experiment=best")).recipe
    assert config.seed == 7


@pytest.mark.parametrize(
    "step",
    [
        {"+hydra": {"callbacks": {"x": {"_target_": "os.system"}}}},
        {"defaults": {"model": {"_target_": "os.system"}}},
        {"defaults": {"experiment@hydra": "best"}},
        {"~data": None},
        {"data": {"name": "${oc.env:HOME}"}},
        {"data.name=x +hydra.callbacks.x": "y"},
        {"data": {"root": "/elsewhere"}},
        {"model": {"lr": [{"_target_": "os.system"}]}},
    ],
)
def test_a_recorded_step_does_nothing_but_set_known_keys_to_plain_values(
    composed: Composed, tmp_path: Path, step: dict[str, Any]
) -> None:
    begun(tmp_path, composed, recipe={"steps": {"a": step}})
    with pytest.raises(ValueError, match="recipe, step a: "):
        resumed_config(tmp_path, composed(), [])


def test_a_run_goes_on_with_the_keys_of_its_own_model(composed: Composed, tmp_path: Path) -> None:
    begun(tmp_path, composed, "model=cnn", "model.num_filters=5")
    resume = f"resume={tmp_path}"
    typed = with_own_model([resume, "model.num_filters=5", "trainer.threads=1"])
    assert typed[3:] == ["model=cnn"]
    config = resumed_config(tmp_path, composed(*typed), typed)
    assert (config.model.model_dump()["num_filters"], config.trainer.threads) == (5, 1)
    typed = with_own_model([resume, "model.num_filters=6"])
    with pytest.raises(ValueError, match=r"model\.num_filters: cannot change .* has 5"):
        resumed_config(tmp_path, composed(*typed), typed)
    with pytest.raises(ValueError, match="model: a resumed run keeps its own"):
        resumed_config(tmp_path, composed("model=lstm"), ["model=lstm"])


def test_what_goes_on_with_no_known_run_is_left_alone(composed: Composed, tmp_path: Path) -> None:
    begun(tmp_path, composed, model={"architecture": ["gru"]})
    for typed in ([], ["resume=auto"], ["resume=/nowhere"], [f"resume={tmp_path}"]):
        assert with_own_model(typed) == typed


def test_a_record_of_another_version_is_said_to_be_one(composed: Composed, tmp_path: Path) -> None:
    begun(tmp_path, composed, model={"cell": "gru"})
    with pytest.raises(ValueError, match=r"recorded by another version of this program \(model"):
        resumed_config(tmp_path, composed(), [])


def test_a_folder_with_a_damaged_record_is_named(tmp_path: Path) -> None:
    write_record(tmp_path, {"status": ["finished"]})
    with pytest.raises(ValueError, match=r"run\.json: damaged: status"):
        named_folder(str(tmp_path))
