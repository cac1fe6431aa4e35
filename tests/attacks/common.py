"""What the attacks share: the tally of cases, and commands that are watched from outside."""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; what takes longer hangs
NSMC = (sys.executable, "-m", "nsmc.cli")
TRAIN = (sys.executable, str(PROJECT / "train.py"))


@dataclass
class Tally:
    """How the cases of one class of attacks came out."""

    name: str
    held: int = 0
    fell: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)

    def case(self, title: str, held: bool, seen: str = "") -> None:
        """Count a case; `seen` is what happened instead, where it fell."""
        if held:
            self.held += 1
            return
        self.fell.append(f"{title}: {' '.join(seen.split())[-300:]}")
        print(f"  fell: {self.fell[-1]}", flush=True)

    def figure(self, text: str) -> None:
        """Say a figure that belongs into a report."""
        self.figures.append(text)
        print(f"  {text}", flush=True)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (None: it had to be killed), what it said, and its costs.

    `megabytes` is the peak of its resident memory.
    """

    code: int | None
    stdout: str
    stderr: str
    seconds: float
    megabytes: float

    @property
    def is_one_line(self) -> bool:
        """Whether it failed as promised: exit code 1, one line on standard error, no traceback."""
        lines = [line for line in self.stderr.splitlines() if "error:" in line]
        return self.code == 1 and len(lines) == 1 and "Traceback" not in self.stderr


def ended(
    command: Sequence[str],
    cwd: Path,
    patience: float = PATIENCE,
    megabytes: int | None = None,
    stdin: bytes | Path | None = None,
    **environment: str,
) -> Ended:
    """Run a command to its end. `megabytes` limits its address space; `stdin` is piped into it."""
    limits = None if megabytes is None else megabytes << 20

    def limit() -> None:
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limits, limits))

    env = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1", **environment}
    start = time.monotonic()
    source = stdin.open("rb") if isinstance(stdin, Path) else subprocess.PIPE
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limit,
        start_new_session=True,
    )
    peak = _PeakMemory(process.pid)
    try:
        given = stdin if isinstance(stdin, bytes) else None
        out, err = process.communicate(given, timeout=patience)
        code: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    return Ended(
        code,
        out.decode("utf-8", "replace"),
        err.decode("utf-8", "replace"),
        time.monotonic() - start,
        peak.megabytes,
    )


class _PeakMemory(threading.Thread):
    """Watches the peak of a process's resident memory, as the system counts it, until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.megabytes = 0.0
        self._status = Path(f"/proc/{pid}/status")
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):  # it has ended
            while peak := re.search(r"VmHWM:\s+(\d+) kB", self._status.read_text()):
                self.megabytes = int(peak[1]) / 1024
                time.sleep(0.02)
