"""What to type to start from another run's weights."""

from pathlib import Path

from nsmc.training.starting import weights_alone


def test_a_run_without_a_bundle_is_to_be_finished_first(tmp_path: Path) -> None:
    run = tmp_path / "a run"
    checkpoint = str(run / "checkpoints" / "last.ckpt")
    advice = f"set 'init_from={run}' instead of ckpt_path"
    assert weights_alone(checkpoint) == f"finish that run with 'resume={run}' and {advice}"
    (run / "bundle").mkdir(parents=True)
    assert weights_alone(checkpoint) == advice
