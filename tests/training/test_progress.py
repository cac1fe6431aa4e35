"""What a terminal and a log file show of a training."""

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import pytorch_lightning as L

from nsmc.data.datamodule import ReviewDataModule
from nsmc.training.module import SentimentModule
from nsmc.training.progress import ProgressBar, TrainingProgress
from tests.training.conftest import expected_warnings

pytestmark = expected_warnings

NewModule = Callable[..., SentimentModule]
NewTrainer = Callable[..., L.Trainer]
LINE = re.compile(r"epoch (\d)/2: train loss 0\.\d{4}, val loss 0\.\d{4}, val accuracy [01]\.\d{4}")


@contextmanager
def console() -> Iterator[None]:
    """The lines about progress on standard output, where the bar is, too."""
    handler, level = logging.StreamHandler(sys.stdout), logging.root.level
    handler.addFilter(logging.Filter("nsmc.training.progress"))
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    yield
    logging.root.removeHandler(handler)
    logging.root.setLevel(level)


def screen(output: str) -> list[str]:
    """The lines of a terminal that got such an output, without those that are blank."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[A|[\r\n]|[^\r\n\x1b]+", output):
        if part == "\x1b[A":
            row = max(row - 1, 0)
        elif part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        else:
            old = lines[row].ljust(column)
            lines[row] = old[:column] + part + old[column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines if line.strip()]


def test_no_finished_bar_stays_between_the_lines_of_the_epochs(
    new_module: NewModule,
    new_trainer: NewTrainer,
    datamodule: ReviewDataModule,
    capsys: pytest.CaptureFixture[str],
) -> None:
    callbacks = (TrainingProgress(None), ProgressBar("val/accuracy"))
    trainer = new_trainer(*callbacks, max_epochs=2, enable_progress_bar=True)
    module = new_module()
    with console():
        trainer.fit(module, datamodule=datamodule)
        trainer.validate(module, datamodule=datamodule, verbose=False)
    output = capsys.readouterr().out
    assert [match[1] if (match := LINE.fullmatch(line)) else line for line in screen(output)] == [
        *("1", "2")
    ]
    bars = re.findall(r"epoch 2/2: +\d+%\|.*?loss=\d\.\d{4}, val/accuracy=[01]\.\d{4}", output)
    assert bars and "Validation:" in output
    assert "Epoch" not in output and "DataLoader" not in output


def test_lines_of_a_log_file_fit_80_characters_with_the_time(
    new_module: NewModule,
    new_trainer: NewTrainer,
    datamodule: ReviewDataModule,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    trainer = new_trainer(TrainingProgress(log_interval_seconds=1e-9), max_epochs=2)
    trainer.fit(new_module(), datamodule=datamodule)
    lines = [message for message in caplog.messages if message.startswith("epoch ")]
    assert sum(bool(LINE.fullmatch(line)) for line in lines) == 2
    assert re.fullmatch(r"epoch 1/2, 17% done: loss \d\.\d{4}, [\d,]+ reviews/s", lines[0])
    assert max(len(line) for line in lines) <= 80 - len("12:34:56 ")
