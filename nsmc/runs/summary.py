"""What a run prints at its end: a short table, and the commands to try next."""

import shlex
from pathlib import Path

from nsmc.config.commands import predict_command, program, shortened, train_command_here
from nsmc.config.overrides import pasteable, quoted
from nsmc.config.schema import RunConfig
from nsmc.runs.record import Record, final_step_config
from nsmc.runtime.bundle import WEIGHTS_FILE

_ROWS = {"accuracy": "accuracy", "F1": "f1", "loss": "loss"}


def summary(record: Record, bundle: Path) -> str:
    """The table: metrics by split, then size and speed."""
    metrics = record["metrics"]
    splits = {"val": "validation", "test": "test"}
    splits = {split: title for split, title in splits.items() if f"{split}/loss" in metrics}
    lines = ["", " " * 10 + "".join(f"{title:>12}" for title in splits.values())]
    for title, name in _ROWS.items():
        if any(f"{split}/{name}" in metrics for split in splits):  # a language model: a loss alone
            cells = "".join(f"{metrics[f'{split}/{name}']:>12.4f}" for split in splits)
            lines.append(f"{title:<10}{cells}")
    lines += [
        "",
        f"{'seconds':<12}{record['seconds']:,.1f} in all, {record['train_seconds']:,.1f} training "
        f"({record['reviews_per_second']:,.0f} reviews/s)",
        f"{'parameters':<12}{record['parameters']:,}",
    ]
    if bundle.is_dir():  # a linear classifier makes none
        size = sum(path.stat().st_size for path in bundle.iterdir())
        weights = (bundle / WEIGHTS_FILE).stat().st_size
        lines.append(f"{'bundle':<12}{size / 1e6:.2f} MB (weights {weights / 1e6:.2f} MB)")
    return "\n".join([*lines, f"{'folder':<12}{shortened(bundle.parent)}"])


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
