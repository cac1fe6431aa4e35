"""Keeps Lightning to what a user can act on."""

import logging
import threading
import warnings


def quieten(is_first: bool) -> None:
    """Filter the messages and warnings that are about our own choices.

    Of processes that train together, the first one says what goes on.
    """
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Collation from mapped memory needs no workers, and the sampler's shards repeat no review.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*it is recommended to use .*devices=1.*")
    warnings.filterwarnings("ignore", message=".*is smaller than the logging interval.*")
    # A run that goes on from another one's checkpoint has a folder of its own.
    warnings.filterwarnings("ignore", message=".*The dirpath has changed.*")
    # Where that one was measured otherwise, what is best is found anew.
    warnings.filterwarnings("ignore", message=".*callbacks used to create the checkpoint.*")
    # One that goes on in its own folder finds its files there.
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
    # LastCheckpoint finds the place within the epoch.
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    # An epoch of few batches may have seen one label alone.
    warnings.filterwarnings("ignore", message=".*samples in targets.*")
    # Lightning 2.6 itself uses what torch 2.13 deprecates.
    warnings.filterwarnings("ignore", message=".*treespec, LeafSpec.*")
    threading.excepthook = _quiet_about_full_disks
    if not is_first:
        logging.getLogger().setLevel(logging.WARNING)


def _quiet_about_full_disks(problem: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread; the next write of ours tells that there is no room."""
    if not issubclass(problem.exc_type, OSError):
        threading.__excepthook__(problem)
