"""What a training step of the default GRU spends its time on, by PyTorch's own profiler.

The steps are those of the benchmark `training`, in a plain loop. Times are of one thread's view of
each operation, so shares of the whole are what counts.
"""

from itertools import islice
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from nsmc.runs.build import build_datamodule
from tests.benchmarks.common import config, row
from tests.benchmarks.training import WARM_UP, PlainLoop

STEPS = 30
ROUNDS = 3

PARTS = {
    "matrix products": ("mm", "addmm", "bmm"),
    "gates: sigmoid, tanh and their products": (
        *("sigmoid_", "tanh_", "sigmoid_backward", "tanh_backward", "mul", "add", "sub"),
        *("add_", "mul_", "rsub", "neg", "lerp"),
    ),
    "copying: states and gradients put together": ("cat", "copy_", "fill_", "_index_put_impl_"),
    "embedding: reading it and its gradient": ("index_select", "embedding_dense_backward"),
    "dropout's random numbers": ("bernoulli_",),
    "optimizer and clipping": ("_fused_adamw_", "linalg_vector_norm", "_foreach_norm"),
}


def main(root: Path) -> None:
    each = config(root, "model=gru", "trainer.accelerator=cpu")
    datamodule = build_datamodule(each)
    batches = list(islice(datamodule.train_dataloader(), WARM_UP + STEPS))
    loop = PlainLoop(each)
    for batch in batches[:WARM_UP]:
        loop.step(batch)
    shares: dict[str, list[float]] = {name: [] for name in (*PARTS, "the rest")}
    for _ in range(ROUNDS):
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for batch in batches[WARM_UP:]:
                loop.step(batch)
        for name, share in _shares(profiler).items():
            shares[name].append(share)
    print(f"  {torch.get_num_threads()} threads, {each.data.batch_size} reviews in a step")
    for name, values in shares.items():
        row(name, values, "{:.1%}")


def _shares(profiler: profile) -> dict[str, float]:
    """Each part's share of all operations' own time."""
    own = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    total = sum(own.values())
    shares = {
        name: sum(own.get(f"aten::{operation}", 0.0) for operation in operations) / total
        for name, operations in PARTS.items()
    }
    return {**shares, "the rest": 1 - sum(shares.values())}
