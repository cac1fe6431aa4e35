"""A run's log file, and a filter for Lightning's messages that a user cannot act on.

Where the file cannot be written, one line says so and nothing stops: on a full disk the run ends by
itself, in one line, at what it needs to write.
"""

import logging
import sys
import threading
import warnings


class LogFile(logging.FileHandler):
    """A file for log lines; unlike its parent, no traceback for each that a full disk refuses."""

    _is_reported = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # where it could not be opened until now
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_reported and sys.stderr is not None:
            self._is_reported = True
            reason = error.strerror or error
            print(f"{self.baseFilename} lacks lines: {reason}; make room there", file=sys.stderr)


def quieten(is_first: bool) -> None:
    """Filter the messages and warnings that are about our own choices.

    Of processes that train together, only the first one logs progress.
    """
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Which is there only where somebody asked for it.
    logging.getLogger("pytorch_lightning.callbacks.model_summary").setLevel(logging.INFO)
    # Collation from mapped memory needs no workers, and the sampler's shards repeat no review.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*it is recommended to use .*devices=1.*")
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
    # A run that starts from another one's checkpoint has a folder of its own.
    warnings.filterwarnings("ignore", message=".*The dirpath has changed.*")
    # Where that one was measured otherwise, the best epoch is chosen anew.
    warnings.filterwarnings("ignore", message=".*callbacks used to create the checkpoint.*")
    # A resumed run finds its files in its folder.
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    # LastCheckpoint restores the position within the epoch.
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    # An epoch of few batches may have seen one label alone.
    warnings.filterwarnings("ignore", message=".*samples in targets.*")
    # Lightning 2.6 itself uses what torch 2.13 deprecates.
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
    threading.excepthook = _quiet_about_full_disks
    if not is_first:
        logging.getLogger().setLevel(logging.WARNING)


def _quiet_about_full_disks(problem: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread; our own next write reports the full disk."""
    if not issubclass(problem.exc_type, OSError):
        threading.__excepthook__(problem)
