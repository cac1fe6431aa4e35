"""What a run says at its end: a short table, and the commands to try next."""

import shutil
import sys
from pathlib import Path
from typing import Any

from nsmc.runtime.bundle import WEIGHTS_FILE

_ROWS = (("accuracy", "accuracy", "{:.4f}"), ("F1", "f1", "{:.4f}"), ("loss", "loss", "{:.4f}"))


def summary(record: dict[str, Any], bundle: Path) -> str:
    """The table: metrics by split, then size and speed."""
    metrics = record["metrics"]
    splits = [(s, title) for s, title in (("val", "validation"), ("test", "test"))]
    splits = [(s, title) for s, title in splits if f"{s}/accuracy" in metrics]
    lines = ["", " " * 10 + "".join(f"{title:>12}" for _, title in splits)]
    for title, name, form in _ROWS:
        cells = [form.format(metrics[f"{split}/{name}"]) for split, _ in splits]
        lines.append(f"{title:<10}" + "".join(f"{cell:>12}" for cell in cells))
    size = sum(path.stat().st_size for path in bundle.iterdir())
    weights = (bundle / WEIGHTS_FILE).stat().st_size
    lines += [
        "",
        f"{'seconds':<12}{record['seconds']:,.1f} in all, {record['train_seconds']:,.1f} training "
        f"({record['reviews_per_second']:,.0f} reviews/s)",
        f"{'parameters':<12}{record['parameters']:,}",
        f"{'bundle':<12}{size / 1e6:.2f} MB (weights {weights / 1e6:.2f} MB)",
        f"{'folder':<12}{shortened(bundle.parent)}",
    ]
    return "\n".join(lines)


def next_commands(bundle: Path, corpus: str, with_tensorboard: bool = True) -> str:
    """Commands that can be typed as they stand."""
    lines = [
        "",
        "Next:",
        f'  {_command("nsmc")} predict {shortened(bundle)} "와 진짜 재밌는 영화임미다!!"',
    ]
    if with_tensorboard:
        lines.append(f"  {_command('tensorboard')} --logdir outputs")
    if corpus == "sample":
        lines.append(f"  {_command('python')} train.py            # the real corpus, NSMC")
    return "\n".join(lines)


def _command(name: str) -> str:
    """The name alone where the shell would find this environment's program, else its path."""
    program = Path(sys.executable).parent / name
    found = shutil.which(name)
    if not program.exists() or (found and Path(found) == program):
        return name
    return str(shortened(program))


def shortened(path: Path) -> Path:
    """Relative to the working directory where it is inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
