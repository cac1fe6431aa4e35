"""TensorBoard's curves have names that put the loss first and the splits side by side."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nsmc.training.tensorboard import Curves, curve_name


def test_the_loss_curves_come_first_and_train_and_validation_lie_side_by_side(
    tmp_path: Path,
) -> None:
    logged = [
        *("train/loss_step", "train/loss_epoch", "train/accuracy", "train/learning_rate"),
        *("val/loss", "val/accuracy", "train/reviews_per_second", "epoch"),
    ]
    logger = Curves(str(tmp_path))
    logger.log_metrics(dict.fromkeys(logged, 0.5), step=3)
    logger.save()
    logger.finalize("success")
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == [
        *("loss/train", "loss/val", "loss/within_epoch"),
        *("metrics/accuracy_train", "metrics/accuracy_val"),
        *("optimization/learning_rate", "optimization/reviews_per_second"),
    ]
    assert [(event.step, event.value) for event in events.Scalars("loss/val")] == [(3, 0.5)]
    assert [path.name.split(".")[0] for path in tmp_path.iterdir()] == ["events"]
    assert curve_name("result/val/accuracy") == "result/val/accuracy"
