"""Runs commands in Python processes that have the imports behind them.

`python train.py` spends five seconds of CPU on importing torch, Lightning and Hydra, many times
what a test's run takes. So a server (tests/forkserver_process.py) imports them once and forks a
process for each command. That process is like a new one in all else: it has its own arguments,
environment, folder, output, signals and exit code, and ends as the interpreter ends.

What it can't show is for tests that start Python anew (`run_anew` in tests/commands.py): that the
imports work and warn of nothing, and that no result depends on the hash seed, which forks share.
"""

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.forkserver_process import BYTES, number

PATIENCE = 600  # seconds, on a machine that is busy with other things


class ForkedProcess:
    """A command under way; what it has in common with subprocess.Popen means the same.

    Leaving its context kills what is still running.
    """

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: int, stderr: int
    ) -> None:
        """Start `command`, which is Python with a script or `-m`, writing to two descriptors."""
        python, *words = command
        assert python == sys.executable
        self.returncode: int | None = None
        odd = {name for name in {*env} ^ {*os.environ} if name.startswith("PYTHON")}
        assert odd <= {"PYTHONPATH"}, f"{odd}: a Python that has started heeds them no more"
        request = json.dumps([words, str(cwd), dict(env)]).encode()
        self._answers, theirs = socket.socketpair()
        try:
            with theirs:
                descriptors = [stdout, stderr, theirs.fileno()]
                socket.send_fds(_server(), [len(request).to_bytes(BYTES)], descriptors)
                _server().sendall(request)
            self.pid = self._answer(PATIENCE, "tests/forkserver_process.py did not answer")
        except OSError as error:
            self._answers.close()
            raise RuntimeError(f"no process from tests/forkserver_process.py: {error!r}") from error

    def wait(self, timeout: float = PATIENCE) -> int:
        """The exit code, negative for a signal's; raises TimeoutError."""
        if self.returncode is None:
            self.returncode = self._answer(timeout, f"process {self.pid} did not end")
            self._answers.close()
        return self.returncode

    def _answer(self, timeout: float, otherwise: str) -> int:
        if not select.select([self._answers], [], [], timeout)[0]:
            raise TimeoutError(f"{otherwise} in {timeout} seconds")
        return number(self._answers)

    def poll(self) -> int | None:
        with contextlib.suppress(TimeoutError):
            self.wait(timeout=0)
        return self.returncode

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended a moment ago
                os.kill(self.pid, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()


@functools.cache
def _server() -> socket.socket:
    """The connection to this process's server, which is started when first needed."""
    ours, theirs = socket.socketpair()
    with theirs:
        end = theirs.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forkserver_process", str(end)],
            cwd=Path(__file__).parents[1],
            # To the bit, results depend on the number of threads, which torch reads when imported.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            pass_fds=[end],
            stdout=subprocess.DEVNULL,  # a terminal's lines would be flushed one by one
        )

    @atexit.register
    def stop() -> None:
        with contextlib.suppress(OSError):  # it died
            ours.shutdown(socket.SHUT_RDWR)  # closing would not do where a fork has it, too
        server.wait()

    return ours
