"""The export: the best weights, checked on the spot, with the metrics that become known later."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

import nsmc.training.export
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runtime.bundle import CARD_FILE, CONFIG_FILE, TOKENIZER_FILE
from nsmc.runtime.encoders.recurrent import RecurrentSettings
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.packing import Array
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.tokenizer_file import portable
from nsmc.training.checkpoints import network_from_checkpoint
from nsmc.training.classifier import TextClassifier
from nsmc.training.export import TOLERANCE, BundleExport, best_checkpoint
from nsmc.training.module import SentimentModule
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewModule = Callable[..., SentimentModule]
NewTrainer = Callable[..., L.Trainer]


class FirstEpochIsBest(L.Callback):
    """A validation metric that falls whatever is learnt."""

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        pl_module.log("val/falls", -float(trainer.current_epoch))


@pytest.fixture
def export(tmp_path: Path) -> BundleExport:
    return BundleExport(
        str(tmp_path / "bundle"),
        corpus="tiny",
        command="python train.py data=tiny",
        signature="abc123",
    )


@pytest.fixture
def trainer(tmp_path: Path, new_trainer: NewTrainer, export: BundleExport) -> L.Trainer:
    """Two epochs of which the first is the best; its checkpoint and the last one are kept."""
    keeper = ModelCheckpoint(
        dirpath=tmp_path / "checkpoints", monitor="val/falls", mode="max", save_last=True
    )
    return new_trainer(FirstEpochIsBest(), keeper, export, max_epochs=2)


def test_the_bundle_holds_the_best_weights_and_not_the_last(
    new_module: NewModule, trainer: L.Trainer, export: BundleExport, datamodule: ReviewDataModule
) -> None:
    module = new_module()
    trainer.fit(module, datamodule=datamodule)
    bundle = read_bundle(export.folder)
    best = network_from_checkpoint(best_checkpoint(trainer)).bundle_tensors()
    last = module.classifier.bundle_tensors()
    for name, tensor in bundle.tensors.items():
        np.testing.assert_array_equal(tensor, best[name])
        assert not np.array_equal(tensor, last[name]), name


@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional", "num_layers"),
    [("gru", "last", False, 1), ("lstm", "attention", True, 2), ("gru", "max", True, 1)],
)
def test_the_bundle_says_what_was_trained_and_answers_as_the_classifier_does(
    new_module: NewModule,
    trainer: L.Trainer,
    export: BundleExport,
    datamodule: ReviewDataModule,
    cell: str,
    pooling: str,
    bidirectional: bool,
    num_layers: int,
) -> None:
    module = new_module(
        architecture=cell,
        pooling=pooling,
        bidirectional=bidirectional,
        num_layers=num_layers,
        embedding_dropout=0.3,  # must not act in what is exported
        output_dropout=0.3,
    )
    trainer.fit(module, datamodule=datamodule)
    predictor = Predictor.load(export.folder)
    config = predictor.config
    assert config.encoder == RecurrentSettings(cell, 5, num_layers, bidirectional)
    assert (config.embedding_dim, config.pooling) == (6, pooling)
    assert (config.labels, config.signature, config.pad_id) == (
        ("negative", "positive"),
        "abc123",
        0,
    )
    assert config.max_length == datamodule.max_length
    label_map = {"0": "negative", "1": "positive"}
    assert config.reading == {"quoting": "nsmc", "label_map": label_map}
    corpus = datamodule.corpus
    written = (export.folder / TOKENIZER_FILE).read_text(encoding="utf-8")
    trained = corpus.tokenizer_path.read_text(encoding="utf-8")
    assert written == portable(trained, datamodule.max_length)
    assert trained == portable(written, None)
    classifier = network_from_checkpoint(best_checkpoint(trainer))
    for batch in datamodule.test_dataloader():
        texts = [
            corpus.tokenizer().decode(corpus.splits["test"].review(row).tolist())
            for row in batch.rows.tolist()
        ]
        with torch.inference_mode():
            expected = classifier(batch.token_ids, batch.lengths).numpy()
        found = predictor.logits(predictor.encode(texts))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def metrics_in_bundle(export: BundleExport) -> dict[str, float]:
    metrics: dict[str, float] = json.loads(
        (export.folder / CONFIG_FILE).read_text(encoding="utf-8")
    )["metrics"]
    return metrics


def test_metrics_are_added_after_validation_and_after_testing(
    new_module: NewModule, trainer: L.Trainer, export: BundleExport, datamodule: ReviewDataModule
) -> None:
    module = new_module()
    trainer.fit(module, datamodule=datamodule)
    # Those of the fit are the last epoch's, not those of the weights in the bundle.
    assert metrics_in_bundle(export) == {}
    assert "Not measured yet" in (export.folder / CARD_FILE).read_text(encoding="utf-8")
    weights = (export.folder / "nsmc.safetensors").read_bytes()
    best = best_checkpoint(trainer)

    trainer.validate(module, datamodule=datamodule, ckpt_path=best, verbose=False)
    val = {name: float(value) for name, value in trainer.callback_metrics.items()}
    val.pop("val/falls")
    found = metrics_in_bundle(export)
    found.pop("val/falls")
    names = ("loss", "accuracy", "macro_f1", "f1", "auroc", "calibration_error")
    assert set(found) == {f"val/{name}" for name in names}
    assert found == pytest.approx(val, abs=1e-6)

    trainer.test(module, datamodule=datamodule, ckpt_path=best, verbose=False)
    test = {name: float(value) for name, value in trainer.callback_metrics.items()}
    found = metrics_in_bundle(export)
    found.pop("val/falls")
    assert {name.split("/")[0] for name in test} == {"test"}
    assert found == pytest.approx({**val, **test}, abs=1e-6)

    card = (export.folder / CARD_FILE).read_text(encoding="utf-8")
    assert f"| accuracy | {val['val/accuracy']:.4f} | {test['test/accuracy']:.4f} |" in card
    assert (export.folder / "nsmc.safetensors").read_bytes() == weights
    assert read_bundle(export.folder).config.metrics == metrics_in_bundle(export)


def test_the_card_says_what_was_trained_on_what_and_how(
    new_module: NewModule, trainer: L.Trainer, export: BundleExport, datamodule: ReviewDataModule
) -> None:
    module = new_module(architecture="lstm", bidirectional=True)
    trainer.fit(module, datamodule=datamodule)
    card = (export.folder / CARD_FILE).read_text(encoding="utf-8")
    vocab_size = module.classifier.text_encoder.embedding.num_embeddings
    for fact in (
        "`tiny`",
        "python train.py data=tiny",
        "LSTM 5, 1 layer(s), both directions",
        f"{sum(p.numel() for p in module.parameters()):,}",
        f"| vocabulary | {vocab_size} ",
        "first 12 tokens",
        "negative, positive",
        "abc123",
        "nsmc predict",
    ):
        assert fact in card


@pytest.mark.parametrize("change", [2 * TOLERANCE, np.nan])
def test_a_runtime_that_computes_something_else_fails_loudly_and_leaves_no_bundle(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_module: NewModule,
    trainer: L.Trainer,
    datamodule: ReviewDataModule,
    change: float,
) -> None:
    logits = Predictor.logits

    def off_by_a_little(self: Predictor, token_ids: list[list[int]]) -> Array:
        result = logits(self, token_ids).copy()
        result[-1, 0] += change
        return result

    monkeypatch.setattr(Predictor, "logits", off_by_a_little)
    with pytest.raises(RuntimeError, match="export failed: the runtime's logits differ"):
        trainer.fit(new_module(), datamodule=datamodule)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_weights_that_are_not_numbers_are_not_exported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_module: NewModule,
    trainer: L.Trainer,
    datamodule: ReviewDataModule,
) -> None:
    def diverged(path: str) -> object:
        classifier = network_from_checkpoint(path)
        assert isinstance(classifier, TextClassifier)
        with torch.no_grad():  # of the padding: no logit would show it
            classifier.text_encoder.embedding.weight[0, 0] = np.nan
        return classifier

    monkeypatch.setattr(nsmc.training.export, "network_from_checkpoint", diverged)
    with pytest.raises(ValueError, match=r"embedding\.weight.*not finite"):
        trainer.fit(new_module(), datamodule=datamodule)
    assert not (tmp_path / "bundle").exists()


def test_the_check_compares_reviews_of_the_validation_part_cut_to_max_length(
    monkeypatch: pytest.MonkeyPatch,
    new_module: NewModule,
    trainer: L.Trainer,
    datamodule: ReviewDataModule,
) -> None:
    seen: list[list[int]] = []
    logits = Predictor.logits

    def remember(self: Predictor, token_ids: list[list[int]]) -> Array:
        seen.extend(token_ids)
        return logits(self, token_ids)

    monkeypatch.setattr(Predictor, "logits", remember)
    trainer.fit(new_module(), datamodule=datamodule)
    val = datamodule.corpus.splits["val"]
    longest = datamodule.max_length
    seen = seen[: len(val)]  # the test vectors come after the check
    assert seen == [val.review(row).tolist()[:longest] for row in range(len(val))]
    assert max(map(len, seen)) == longest  # some were cut
