"""A tiny corpus, and what trains on it within a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as L

from nsmc.data.datamodule import ReviewDataModule
from nsmc.data.encoding import TokenizerSettings
from nsmc.data.files import CorpusFiles
from nsmc.data.splitting import SplitSettings
from nsmc.training.module import SentimentModule

_GOOD = ("정말 재밌는 영화", "최고의 연기", "또 보고 싶다", "감동 그 자체였어요 강추")
_BAD = ("너무 지루하다", "최악의 연출", "돈이 아깝다 정말", "다시는 안 본다 이런 영화")


# What nsmc/runs/logs.py filters out of a run, for the reasons that it gives.
expected_warnings = pytest.mark.filterwarnings(
    *("ignore:.*treespec, LeafSpec.*", "ignore:.*does not have many workers.*"),
    *("ignore:.*exists and is not empty.*", "ignore:.*your dataloader is not resumable.*"),
    *("ignore:.*The dirpath has changed.*", "ignore:.*smaller than the logging interval.*"),
    "ignore:.*it is recommended to use .*devices=1.*",
)

CLASSIFIER = {
    "label_count": 2,
    "architecture": "gru",
    "embedding_dim": 6,
    "hidden_size": 5,
    "num_layers": 1,
    "bidirectional": False,
    "pooling": "last",
    "embedding_rank": None,
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "output_dropout": 0.0,
    "recurrent_dropout": 0.0,
    "word_dropout": 0.0,
}
OPTIMIZATION = {"optimizer": "adamw", "lr": 0.05, "weight_decay": 0.01, "schedule": "constant"}
REGULARIZATION = {
    "label_smoothing": 0.0,
    "r_drop": 0.0,
    "adversarial": "none",
    "adversarial_epsilon": 0.1,
}


@pytest.fixture(scope="session")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 56 reviews to train and validate on and 13 to test on."""
    root = tmp_path_factory.mktemp("corpus")
    for name, size in (("train.txt", 56), ("test.txt", 13)):
        lines = ["id\tdocument\tlabel"]
        for row in range(size):
            texts, label = (_GOOD, 1) if row % 2 else (_BAD, 0)
            lines.append(f"{row}\t{texts[row % 4]} {row} {'ㅋ' * (row % 9)}\t{label}")
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def datamodule(corpus_root: Path) -> ReviewDataModule:
    """42 reviews in 6 training batches, 14 in 3 validation batches."""
    return ReviewDataModule(
        files=CorpusFiles(corpus_root, "train.txt", SplitSettings(0.25, 0), "test.txt"),
        tokenizer=TokenizerSettings(vocab_size=300, min_frequency=2, normalization="nfc"),
        cache_dir=str(corpus_root / "cache"),
        batch_size=8,
        eval_batch_size=5,
        max_length=12,  # fewer than the longest reviews have
        pad_to=None,
        shuffle=True,
        bucketing=True,
        seed=0,
    )


@pytest.fixture
def new_module(datamodule: ReviewDataModule) -> Callable[..., SentimentModule]:
    """Makes a module for the corpus; keywords change its parameters."""

    def make(**changes: Any) -> SentimentModule:
        vocab_size = datamodule.corpus.tokenizer().get_vocab_size()
        sections = {
            "classifier": {"vocab_size": vocab_size, **CLASSIFIER},
            "optimization": OPTIMIZATION,
            "regularization": REGULARIZATION,
        }
        changed: dict[str, Any] = {"class_weights": changes.pop("class_weights", None)}
        for name, values in sections.items():
            own = {key: changes.pop(key) for key in (*values,) if key in changes}
            changed[name] = {**values, **own}
        assert not changes
        return SentimentModule(**changed)

    return make


@pytest.fixture
def new_trainer(tmp_path: Path) -> Callable[..., L.Trainer]:
    """Makes a quiet Trainer on the CPU; keywords change its parameters."""

    def make(*callbacks: L.Callback, **changes: Any) -> L.Trainer:
        values: dict[str, Any] = {
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "callbacks": list(callbacks),
            "enable_checkpointing": any(
                isinstance(callback, L.callbacks.ModelCheckpoint) for callback in callbacks
            ),
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "use_distributed_sampler": False,
            "default_root_dir": tmp_path,
        }
        return L.Trainer(**{**values, **changes})

    return make
