"""What a run says at its end: a short table, and the commands to try next."""

import shlex
from pathlib import Path

from nsmc.config.commands import predict_command, program, shortened, train_command_here
from nsmc.config.overrides import pasteable, quoted
from nsmc.config.schema import RunConfig
from nsmc.runs.record import Record, final_step_config
from nsmc.runtime.bundle import WEIGHTS_FILE

_ROWS = (("accuracy", "accuracy", "{:.4f}"), ("F1", "f1", "{:.4f}"), ("loss", "loss", "{:.4f}"))


def summary(record: Record, bundle: Path) -> str:
    """The table: metrics by split, then size and speed."""
    metrics = record["metrics"]
    splits = [(s, title) for s, title in (("val", "validation"), ("test", "test"))]
    splits = [(s, title) for s, title in splits if f"{s}/loss" in metrics]
    lines = ["", " " * 10 + "".join(f"{title:>12}" for _, title in splits)]
    for title, name, form in _ROWS:
        if not any(f"{split}/{name}" in metrics for split, _ in splits):
            continue  # a language model has a loss alone
        cells = [form.format(metrics[f"{split}/{name}"]) for split, _ in splits]
        lines.append(f"{title:<10}" + "".join(f"{cell:>12}" for cell in cells))
    lines += [
        "",
        f"{'seconds':<12}{record['seconds']:,.1f} in all, {record['train_seconds']:,.1f} training "
        f"({record['reviews_per_second']:,.0f} reviews/s)",
        f"{'parameters':<12}{record['parameters']:,}",
        *_size(bundle),
        f"{'folder':<12}{shortened(bundle.parent)}",
    ]
    return "\n".join(lines)


def _size(bundle: Path) -> list[str]:
    """The line about the bundle; none for a run that makes none."""
    if not bundle.is_dir():
        return []
    size = sum(path.stat().st_size for path in bundle.iterdir())
    weights = (bundle / WEIGHTS_FILE).stat().st_size
    return [f"{'bundle':<12}{size / 1e6:.2f} MB (weights {weights / 1e6:.2f} MB)"]


def next_commands(config: RunConfig, record: Record, folder: Path) -> str:
    """Commands that can be typed as they stand."""
    task = final_step_config(record)["task"]
    train, folder = train_command_here(), shortened(folder)
    lines = ["", "Next:"]
    if task == "classify":
        lines.append(f"  {predict_command(folder / 'bundle')}")
    elif task == "pretrain":
        lines.append(f"  {train} {pasteable('init_from', str(folder))}")
    else:
        teachers = shlex.quote(f"distill.teachers=[{quoted(str(folder))}]")
        lines.append(f"  {train} experiment=distill {teachers}")
    if config.logger.tensorboard and task != "linear":
        lines.append(f"  {program('tensorboard')} --logdir outputs")
    if config.data.name == "sample":
        lines.append(f"  {train}            # the real corpus, NSMC")
    return "\n".join(lines)
