"""A Slurm job that gets SIGUSR1, as it must end soon, goes back into the queue.

Lightning would do so, too, but in the middle of a step, and with a checkpoint of its own that does
not say where in the epoch it is. Here the run is interrupted as by any other signal, and always
resumed from `last.ckpt`.
"""

import logging
import os
import signal
import subprocess

log = logging.getLogger(__name__)

REQUEUE_SIGNAL = getattr(signal, "SIGUSR1", None)  # Windows has none

# Set for a run that another one of ours has started and waits for, and which requeues the job.
ASKED_BY_PARENT = "NSMC_REQUEUED_BY_PARENT"

_INTERACTIVE = ("bash", "interactive")  # names of jobs whose processes Slurm does not manage


def is_slurm_job() -> bool:
    """Whether Slurm started this process, by the same signs as Lightning's."""
    environment = os.environ
    return "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in _INTERACTIVE


def job_number() -> str | None:
    """This job's, as `scontrol` takes it; None outside of Slurm."""
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")


def is_restarted() -> bool:
    """Whether Slurm has run this job before, and took it back into the queue."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def requeue() -> None:
    """Ask Slurm to run this job again: once, whatever the number of its processes."""
    is_first = os.environ.get("SLURM_PROCID", "0") == "0"
    if not is_slurm_job() or not is_first or ASKED_BY_PARENT in os.environ:
        return
    job = job_number()
    command = ["scontrol", "requeue", str(job)]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        log.warning("the job is not in the queue again: %s", error)
        return
    log.info("job %s is in Slurm's queue again", job)
