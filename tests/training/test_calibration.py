"""What the bundle says of its probabilities after training, beside the predictor's own answers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as L
from pytorch_lightning.callbacks import ModelCheckpoint

from nsmc.data.datamodule import ReviewDataModule
from nsmc.runtime import confidence
from nsmc.runtime.familiarity import Profile
from nsmc.runtime.predictor import Predictor
from nsmc.training.calibration import Calibration
from nsmc.training.export import BundleExport, best_checkpoint
from nsmc.training.module import SentimentModule
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewModule = Callable[..., SentimentModule]
NewTrainer = Callable[..., L.Trainer]


@pytest.fixture
def export(tmp_path: Path) -> BundleExport:
    folder = str(tmp_path / "bundle")
    return BundleExport(folder, corpus="tiny", command="train", signature="abc123")


def trained(
    module: SentimentModule,
    new_trainer: NewTrainer,
    export: BundleExport,
    datamodule: ReviewDataModule,
) -> Predictor:
    keeper = ModelCheckpoint(dirpath=export.folder.parent / "checkpoints", monitor="val/loss")
    trainer = new_trainer(keeper, Calibration(), export, max_epochs=2)
    trainer.fit(module, datamodule=datamodule)
    best = best_checkpoint(trainer)
    trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
    trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
    return Predictor.load(export.folder)


def test_it_is_measured_on_the_validation_part_with_the_exported_weights(
    new_module: NewModule,
    new_trainer: NewTrainer,
    export: BundleExport,
    datamodule: ReviewDataModule,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confidence, "_FEWEST_REVIEWS", 1)
    predictor = trained(new_module(), new_trainer, export, datamodule)
    reviews = datamodule.corpus.splits["val"]
    ids = [reviews.review(row).tolist()[: datamodule.max_length] for row in range(len(reviews))]
    logits = predictor.logits(ids)
    expected = confidence.measured_confidence(reviews.labels, logits)
    found = predictor.config.confidence
    assert found is not None
    assert expected is not None
    assert found["reviews"] == len(reviews)
    assert found["temperature"] == pytest.approx(expected["temperature"], abs=2e-3)
    assert found["calibration_error"] == pytest.approx(expected["calibration_error"], abs=2e-3)
    profile = Profile(predictor.tokenizer.lone_bytes)
    profile.add(ids, np.full(len(ids), 0.5))
    assert found["texts"]["tokens"] == profile.as_json()["tokens"]
    assert found["texts"]["lone_bytes"] == profile.as_json()["lone_bytes"]
    card = (export.folder / "README.md").read_text("utf-8")
    assert f"A temperature of {found['temperature']}" in card


def test_of_few_validation_reviews_nothing_is_said(
    new_module: NewModule,
    new_trainer: NewTrainer,
    export: BundleExport,
    datamodule: ReviewDataModule,
) -> None:
    predictor = trained(new_module(), new_trainer, export, datamodule)
    assert predictor.config.confidence is None
    assert predictor.config.temperature == 1
    assert "not calibrated" in (export.folder / "README.md").read_text("utf-8")
