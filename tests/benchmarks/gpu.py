"""Six epochs on a GPU: train.py's fit, whole, beside the blog post's loop on the same GPU.

The loop's time is that of some hundred steps, times the steps of six epochs: it takes a minute and
more. Where the fit's time goes, the profile of some of its steps says.
"""

import logging
import tempfile
import time
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, TensorDataset

from nsmc.config.schema import RunConfig
from nsmc.data.batching import Batch, collate
from nsmc.data.datamodule import ReviewDataModule
from nsmc.runs.build import build_callbacks, build_datamodule
from nsmc.runs.trainer import build_trainer
from tests.benchmarks.common import config, row
from tests.benchmarks.training import BlogClassifier, PlainLoop, new_module

ROUNDS = 3
EPOCHS = 6
BLOG_BATCH = 32
BLOG_STEPS = 400
WARM_UP = 20
PROFILED = 40


def main(root: Path) -> None:
    if not torch.cuda.is_available():
        print("  no GPU here that this torch can use: nothing is measured")
        return
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    print(f"  {torch.cuda.get_device_name()}, torch {torch.__version__}")
    configs = {
        f"{cell}, {how}": config(root, f"model={cell}", how)
        for cell in ("gru", "lstm")
        for how in ("trainer.accelerator=gpu", "trainer=gpu")
    }
    datamodule = build_datamodule(next(iter(configs.values())))
    datamodule.prepare_data()
    fit(next(iter(configs.values())))  # a GPU's first kernels are slow
    blog, ours = [], {name: list[float]() for name in configs}
    for _ in range(ROUNDS):
        blog.append(blog_seconds(datamodule))
        for name, each in configs.items():
            ours[name].append(fit(each))
    row("blog's loop, six epochs: s", blog, "{:.1f}")
    for name, seconds in ours.items():
        row(f"{name}, six epochs: s", seconds, "{:.2f}")
        ratios = [slow / fast for slow, fast in zip(blog, seconds, strict=True)]
        row(f"{name}: times the loop's speed", ratios, "{:.1f}")
    _print_steps(next(iter(configs.values())), datamodule)


def fit(each: RunConfig) -> float:
    """The seconds of a fit as train.py's, validations, checkpoints and logger included."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(each, Path(folder), build_callbacks(each, Path(folder)))
        datamodule, module = build_datamodule(each), new_module(each)
        datamodule.prepare_data()
        torch.cuda.synchronize()
        start = time.perf_counter()
        trainer.fit(module, datamodule)
        torch.cuda.synchronize()
        return time.perf_counter() - start


def blog_seconds(datamodule: ReviewDataModule) -> float:
    """Those of six epochs of the post's loop, by some of its steps."""
    reviews = datamodule.corpus.splits["train"]
    rows = np.arange(BLOG_BATCH * (WARM_UP + BLOG_STEPS))
    padded = collate(reviews, rows, 2, max_length=128, pad_to=128)
    loader = DataLoader(TensorDataset(padded.token_ids, padded.labels), batch_size=BLOG_BATCH)
    model, criterion = BlogClassifier().cuda(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    start, total_loss = 0.0, 0.0
    for step, (token_ids, labels) in enumerate(loader):
        if step == WARM_UP:
            torch.cuda.synchronize()
            start = time.perf_counter()
        loss = criterion(model(token_ids.cuda()), labels.cuda())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    torch.cuda.synchronize()
    steps = EPOCHS * -(-len(reviews) // BLOG_BATCH)
    return (time.perf_counter() - start) / BLOG_STEPS * steps


def _print_steps(each: RunConfig, datamodule: ReviewDataModule) -> None:
    """Milliseconds of a bare step, and how many of them the GPU computes."""
    loop = PlainLoop(each)
    loop.classifier.cuda()
    batches = list(islice(datamodule.train_dataloader(), WARM_UP + PROFILED))

    def steps(those: list[Batch]) -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for batch in those:
            loop.step(Batch(*(each.cuda(non_blocking=True) for each in batch)))
        torch.cuda.synchronize()
        return (time.perf_counter() - start) / len(those) * 1e3

    steps(batches[:WARM_UP])
    row("a bare step: ms", [steps(batches[WARM_UP:]) for _ in range(ROUNDS)], "{:.2f}")
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        steps(batches[WARM_UP:])
    computed = sum(event.self_device_time_total for event in profiler.key_averages()) / 1e3
    row("of which the GPU computes: ms", [computed / PROFILED], "{:.2f}")
