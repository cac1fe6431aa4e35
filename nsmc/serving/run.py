"""Starts the server: one process, or several workers that share a port."""

import contextlib
import json
import logging
import math
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator

import uvicorn
from uvicorn.supervisors import Multiprocess

from nsmc.serving.connections import Connection
from nsmc.serving.settings import ServerSettings, hand_on

_APP = "nsmc.serving.app:from_environment"
_BACKLOG = 2048  # connections that wait to be taken, as many as uvicorn lets wait
_SECONDS_TO_REPLY = 60  # for a worker that is asked whether it lives, before it is replaced
_SECONDS_TO_END = 30  # for requests that are being answered when the server is told to end


class _Supervisor(Multiprocess):
    """Keeps workers running; SIGHUP is for them, who read their bundle again."""

    def handle_hup(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                if process.pid is not None:
                    os.kill(process.pid, signal.SIGHUP)


def serve(settings: ServerSettings, host: str, port: int, workers: int) -> None:
    """Listen and answer until SIGTERM or SIGINT; then answer what was begun.

    Raises OSError where the address cannot be had.
    """
    listening = _listening(host, port, settings.timeout)
    with listening, _figures_of_all(workers):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a process is ready for it
        for each in (signal.SIGTERM, signal.SIGINT):  # which uvicorn raises again when it has ended
            signal.signal(each, _end)
        hand_on(settings)
        config = uvicorn.Config(
            _APP,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http=Connection,
            timeout_keep_alive=math.ceil(settings.timeout),
            timeout_worker_healthcheck=_SECONDS_TO_REPLY,
            proxy_headers=False,  # nobody asks for the client's address
            access_log=False,  # ours has no texts, and is for programs
            log_config=_LOGGING,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_SECONDS_TO_END,
        )
        address = listening.getsockname()
        print(f"nsmc: http://{address[0]}:{address[1]}/ answers; Ctrl-C ends it", file=sys.stderr)
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listening])
        else:
            _Supervisor(config, [listening]).run()


def _end(signum: int, frame: object) -> None:
    """To be told to end is how a server ends well."""
    raise SystemExit(0)


def _listening(host: str, port: int, timeout: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on sockets whose protocol is named: without it, each
    # waits 40 ms for an acknowledgement.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: closes what a client does not read
            found.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, math.ceil(1_000 * timeout)
            )
        found.bind((host, port))
        found.listen(_BACKLOG)  # from now on, whoever connects is answered once we are ready
    except OSError as error:
        found.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    found.set_inheritable(True)
    return found


@contextlib.contextmanager
def _figures_of_all(workers: int) -> Iterator[None]:
    """Where workers put their figures, so that each can tell those of all."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="nsmc-figures-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


class JsonLines(logging.Formatter):
    """A line of JSON for each record: time, level, and what it says."""

    def format(self, record: logging.LogRecord) -> str:
        about = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname}
        if isinstance(record.msg, dict):
            return json.dumps({**about, **record.msg}, ensure_ascii=False)
        text = record.getMessage()
        if record.exc_info:
            text = f"{text} {self.formatException(record.exc_info)}"
        return json.dumps({**about, "message": text}, ensure_ascii=False)


_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "nsmc.serving.run.JsonLines"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "lines",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {
        name: {"handlers": ["stderr"], "level": level, "propagate": False}
        for name, level in (("uvicorn", "INFO"), ("nsmc.serving", "INFO"), ("asyncio", "ERROR"))
    },
}
