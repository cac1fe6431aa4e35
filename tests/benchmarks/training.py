"""Training speed: the default configuration against the blog post's script.

Both train in this process, in turn. The share of the machine's peak counts 6 floating-point
operations for each recurrent and input weight and real token (2 forward, 4 backward), and compares
with a float32 matrix product measured in the same round.
"""

import logging
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from nsmc.config.schema import RunConfig
from nsmc.data.batching import Batch, collate
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runs.build import build_callbacks, build_datamodule
from nsmc.runs.trainer import build_trainer
from nsmc.training.losses import training_loss
from nsmc.training.module import SentimentModule
from tests.benchmarks.common import config, row

ROUNDS = 5
STEPS = 129  # of the default configuration, after WARM_UP: together an epoch, but for its end
BLOG_STEPS = 30
WARM_UP = 10
TINY = ("model.hidden_size=8", "model.embedding_dim=8", "data.batch_size=64")


def main(root: Path) -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    on_cpu = "trainer.accelerator=cpu"  # as is the script
    configs = {cell: config(root, f"model={cell}", on_cpu) for cell in ("gru", "lstm")}
    tiny = config(root, "model=gru", on_cpu, *TINY)
    datamodule, few_at_a_time = build_datamodule(configs["gru"]), build_datamodule(tiny)
    script = BlogScript(datamodule)
    peaks, blog, bare = [], [], []
    ours: dict[str, list[tuple[float, float]]] = {cell: [] for cell in configs}
    tiny_bare, tiny_runs = [], []
    for _ in range(ROUNDS):
        peaks.append(matrix_product_peak())
        blog.append(script.reviews_per_second())
        for cell, each in configs.items():
            ours[cell].append(train_default(each))
        bare.append(bare_loop(configs["gru"], datamodule))
        tiny_bare.append(tiny.data.batch_size / bare_loop(tiny, few_at_a_time) * 1e3)
        tiny_runs.append(tiny.data.batch_size / train_default(tiny)[0] * 1e3)
    row("blog's script (GRU): reviews/s", blog, "{:,.0f}")
    row("float32 matrix product: GFLOP/s", [peak / 1e9 for peak in peaks], "{:,.0f}")
    for cell, measured in ours.items():
        rates = [rate for rate, _ in measured]
        row(f"default {cell}: reviews/s", rates, "{:,.0f}")
        ratios = [rate / slow for rate, slow in zip(rates, blog, strict=True)]
        row(f"default {cell}: ratio to the blog's script", ratios, "{:.1f}")
        shares = [flops / peak for (_, flops), peak in zip(measured, peaks, strict=True)]
        row(f"default {cell}: share of the peak", shares, "{:.2f}")
    shares = [1 - rate / alone for (rate, _), alone in zip(ours["gru"], bare, strict=True)]
    row("Lightning's, TensorBoard's and the metrics' share", shares, "{:.1%}")
    row("a step of a tiny network, without a Trainer: ms", tiny_bare, "{:.2f}")
    row("the same in a run: ms", tiny_runs, "{:.2f}")


class PlainLoop:
    """The default's training step without a Trainer and metrics."""

    def __init__(self, each: RunConfig) -> None:
        self.module = new_module(each)
        self.classifier, model = self.module.classifier.train(), each.model
        self.optimizer = torch.optim.AdamW(
            self.classifier.parameters(), lr=model.lr, weight_decay=model.weight_decay, fused=True
        )
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, model.lr, total_steps=2000
        )
        self.longest_gradient = each.trainer.gradient_clip_val or 1.0

    def step(self, batch: Batch) -> None:
        loss, _ = training_loss(self.classifier, batch, self.module.regularization)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.classifier.parameters(), self.longest_gradient)
        self.optimizer.step()
        self.scheduler.step()


def bare_loop(each: RunConfig, datamodule: ReviewDataModule) -> float:
    """Reviews/s of the default GRU's steps in a plain loop, without a Trainer and metrics."""
    loop, start, reviews = PlainLoop(each), 0.0, 0
    for step, batch in enumerate(datamodule.train_dataloader()):
        if step == WARM_UP:
            start = time.perf_counter()
        if step == WARM_UP + STEPS:
            break
        loop.step(batch)
        reviews += len(batch.labels) if step >= WARM_UP else 0
    return reviews / (time.perf_counter() - start)


def new_module(each: RunConfig) -> SentimentModule:
    return SentimentModule(
        classifier={
            "vocab_size": each.data.vocab_size,
            "label_count": 2,
            **each.model.classifier(),
        },
        optimization=each.model.optimization(),
        regularization=each.model.regularization(),
    )


def matrix_product_peak(size: int = 2048, repeats: int = 10) -> float:
    """Floating-point operations per second of a square float32 product."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(seconds)


class Meter(L.Callback):
    """Counts reviews, tokens and seconds after the warm-up."""

    def __init__(self) -> None:
        self.reviews = self.tokens = 0
        self.seconds = 0.0
        self._start = 0.0

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        now = time.perf_counter()
        if batch_idx < WARM_UP:
            self._start = now
        else:
            self.reviews += len(batch.labels)
            self.tokens += int(batch.lengths.sum())
            self.seconds = now - self._start


def train_default(each: RunConfig) -> tuple[float, float]:
    """Train for some steps as train.py does; reviews/s and counted operations/s."""
    steps = {"limit_train_batches": WARM_UP + STEPS, "max_epochs": 1}
    each = each.model_copy(update={"trainer": each.trainer.model_copy(update=steps)})
    meter = Meter()
    module = new_module(each)
    with tempfile.TemporaryDirectory() as folder:
        callbacks = [*build_callbacks(each, Path(folder)), meter]
        trainer = build_trainer(each, Path(folder), callbacks)
        loader = build_datamodule(each).train_dataloader()
        trainer.fit(module, loader)
    weights = sum(
        parameter.numel()
        for name, parameter in module.classifier.text_encoder.encoder.named_parameters()
        if "weight" in name
    )
    return meter.reviews / meter.seconds, 6 * weights * meter.tokens / meter.seconds


class BlogClassifier(nn.Module):
    """The post's network; it reads the state after the padding, as the post does."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10_000, 128)
        self.gru = nn.GRU(128, 128, batch_first=True)
        self.ln1 = nn.Linear(128, 2)

    def forward(self, token_ids: Tensor) -> Tensor:
        _, hidden = self.gru(self.embedding(token_ids))
        return self.ln1(hidden.squeeze(0))


class BlogScript:
    """The post's training loop: everything padded to 128 tokens, batches of 32, plain Adam."""

    def __init__(self, datamodule: ReviewDataModule) -> None:
        reviews = datamodule.corpus.splits["train"]
        rows = np.arange(32 * (WARM_UP + BLOG_STEPS))
        padded = collate(reviews, rows, 2, max_length=128, pad_to=128)
        self.loader = DataLoader(TensorDataset(padded.token_ids, padded.labels), batch_size=32)
        self.model = BlogClassifier()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.001)
        self.criterion = nn.CrossEntropyLoss()

    def reviews_per_second(self) -> float:
        start, total_loss = 0.0, 0.0
        for step, (token_ids, labels) in enumerate(self.loader):
            if step == WARM_UP:
                start = time.perf_counter()
            loss = self.criterion(self.model(token_ids), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total_loss += loss.item()
        return 32 * BLOG_STEPS / (time.perf_counter() - start)
