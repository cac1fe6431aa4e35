"""Starts the server: workers that share a port, and a supervisor that replaces them.

To read a bundle again, workers are replaced: the tokenizers library never frees the words that a
tokenizer remembered, about 15 MB of them for each thread that used it.
"""

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
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from nsmc.runtime.predictor import Predictor
from nsmc.serving.connections import Connection
from nsmc.serving.settings import ServerSettings, hand_on

log = logging.getLogger("nsmc.serving")

_APP = "nsmc.serving.app:from_environment"
_BACKLOG = 128  # connections that wait to be taken, which asyncio then does all at once
_SECONDS_TO_REPLY = 20  # for a worker that is asked whether it lives; signals wait meanwhile
_SECONDS_TO_END = 30  # for requests that are being answered when the server is told to end


class _Supervisor(Multiprocess):
    """Keeps workers running; SIGHUP replaces each by one that has read the bundle again."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, folder: Path) -> None:
        super().__init__(config, [listening])
        # Imported now, when it is known where processes put their figures.
        from nsmc.serving.figures import Figures

        self._folder, self._figures = folder, Figures()

    def terminate_all(self) -> None:
        for listening in self.sockets:  # else whoever connects now would wait for nobody
            listening.close()
        super().terminate_all()

    def handle_hup(self) -> None:
        """A worker ends when another answers; a damaged bundle is not taken."""
        before = [process.pid for process in self.processes]
        try:
            Predictor.load(self._folder)  # here, where it is told once
        except Exception as error:  # whatever a damaged bundle causes
            log.error("not reloaded, the bundle of before goes on: %s", error)
        else:
            self.restart_all()
        is_good = not {*before} & {process.pid for process in self.processes}
        self._figures.reloaded(is_good)
        if is_good:
            log.info("reloaded %s", self._folder)


def serve(settings: ServerSettings, host: str, port: int, workers: int) -> None:
    """Listen and answer until SIGTERM or SIGINT; then answer what was begun.

    Raises OSError where the address cannot be had.
    """
    listening = _listening(host, port, settings.timeout)
    with listening, _figures_of_all():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a process is ready for it
        hand_on(settings)
        config = uvicorn.Config(
            _APP,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            http=Connection,
            backlog=_BACKLOG,
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
        name = f"[{address[0]}]" if listening.family == socket.AF_INET6 else address[0]
        print(f"nsmc: http://{name}:{address[1]}/ answers; Ctrl-C ends it", file=sys.stderr)
        _Supervisor(config, listening, settings.folder).run()


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
def _figures_of_all() -> Iterator[None]:
    """Where processes put their figures, so that each worker can tell those of all.

    Those of a worker that was replaced stay: what is counted never becomes less.
    """
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
