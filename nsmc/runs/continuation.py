"""What a run takes over from an earlier part of itself in its folder."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nsmc.config.schema import RunConfig
from nsmc.data.cache import digest_of_file
from nsmc.runs.build import CHECKPOINTS
from nsmc.runs.record import environment
from nsmc.training.checkpoints import LAST, load_checkpoint

log = logging.getLogger(__name__)

Record = dict[str, Any]


def starting_checkpoint(config: RunConfig, folder: Path, earlier: Record) -> str | None:
    """The digest of `ckpt_path`; of a run that goes on by itself it may be gone, or changed since.

    Raises what `load_checkpoint` raises.
    """
    if config.ckpt_path is None:
        return None
    is_same_path = earlier.get("config", {}).get("ckpt_path") == config.ckpt_path
    if is_same_path and (folder / CHECKPOINTS / LAST).is_file():
        known: str | None = earlier.get("starting_checkpoint")
        return known
    load_checkpoint(config.ckpt_path)
    return digest_of_file(Path(config.ckpt_path))


def is_same(earlier: Record, record: Record) -> bool:
    return bool(earlier.get("signature") == record["signature"])


def other_run(folder: Path, resume: str | None) -> str:
    """Says that a folder's run is not the one that is to be run in it."""
    if resume is None:
        return f"{folder} holds another run: choose another folder with hydra.run.dir"
    return (
        f"resume={resume}: the corpus, or what the run starts from or learns from, is not what it "
        "was when the run began: put it back, or begin a new run without resume="
    )


def continuation(folder: Path, earlier: Record, record: Record) -> Record:
    """What a run takes over from the one in its folder: the checkpoint and the threads.

    Raises ValueError where the folder holds another run, whose files would be mixed with these.
    """
    checkpoint = folder / CHECKPOINTS / LAST
    begun = {"started": now(), "resumed_from": None, "resumed": 0, **environment()}
    has_checkpoint = checkpoint.is_file() and _is_intact(checkpoint)
    is_finished = earlier.get("status") == "finished"  # perhaps without one: a recipe, a linear one
    if (has_checkpoint or is_finished) and not is_same(earlier, record):
        raise ValueError(other_run(folder, record["config"]["resume"]))
    if not has_checkpoint:
        return begun
    return {
        **begun,
        "started": earlier.get("started", begun["started"]),
        "resumed_from": str(checkpoint),
        "resumed": earlier.get("resumed", 0) + 1,
        "threads": earlier.get("threads"),
    }


def _is_intact(checkpoint: Path) -> bool:
    """Whether a checkpoint can be read; one that cannot is put aside."""
    try:
        load_checkpoint(str(checkpoint))
    except ValueError as error:
        log.warning("%s: starting over", error)
        checkpoint.replace(checkpoint.with_name(f"{checkpoint.name}.damaged"))
        return False
    return True


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
