"""Forks Python processes for tests/forkserver.py, which starts this with the number of a socket.

A request is the number of its bytes, sent along with three descriptors (for standard output,
standard error and the answers), and a JSON list of the command's words, folder and environment.
The answers are the process's id and, when it has ended, its exit code.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys

import numpy as np

BYTES = 4  # of a number on a socket

# What makes a start slow. A command imports by itself what is missing here.
_MODULES = ("nsmc.runs.run", "jinja2", "optuna", "sklearn.linear_model")


def number(connection: socket.socket) -> int:
    """The next number; raises ConnectionError where none follows."""
    content = connection.recv(BYTES, socket.MSG_WAITALL)
    if len(content) < BYTES:
        raise ConnectionError("it died before it answered")
    return int.from_bytes(content, signed=True)


def main() -> None:
    for name in _MODULES:
        with contextlib.suppress(ModuleNotFoundError):  # of an extra that is not installed
            importlib.import_module(name)
    gc.freeze()  # or every process walks through, and so copies, what it will never free
    _become(*_forked(socket.socket(fileno=int(sys.argv[1]))))


def _forked(server: socket.socket) -> tuple[list[str], str, dict[str, str]]:
    """Wait for requests, without an end; returns one in each process that is forked for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait, see below
    while True:
        try:
            size, descriptors, *_ = socket.recv_fds(server, BYTES, maxfds=3)
        except KeyboardInterrupt:
            size = b""
        if not size:
            sys.exit()
        request = json.loads(server.recv(int.from_bytes(size), socket.MSG_WAITALL))
        if os.fork() == 0:
            server.close()
            _wait_in_the_parent(*descriptors)
            words, cwd, environment = request
            return words, cwd, environment
        for descriptor in descriptors:
            os.close(descriptor)


def _wait_in_the_parent(stdout: int, stderr: int, answers: int) -> None:
    """Fork once more; the parent waits for the child and answers, only the child returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        _open_streams()
    os.close(stdout)
    os.close(stderr)
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the child
        with socket.socket(fileno=answers) as connection:
            connection.sendall(child.to_bytes(BYTES))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            connection.sendall(code.to_bytes(BYTES, signed=True))
        os._exit(0)
    os.close(answers)


def _open_streams() -> None:
    """Anew: whether a stream can seek is found out once, and the server's are of another kind."""
    for name in ("stdout", "stderr"):
        old = getattr(sys, name)
        how = {"encoding": old.encoding, "errors": old.errors}
        lines = 1 if name == "stderr" else -1  # flushed at each line's end, or when full
        setattr(sys, name, open(old.fileno(), "w", lines, closefd=False, **how))  # noqa: SIM115


def _become(words: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Run the command here, as if Python had been started with it."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    np.random.seed()  # anew, as in a process that imports it, and not the same in each fork
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
