"""What every request passes through: limits with clear answers, figures, a line in the log.

No text of a request is ever logged.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from nsmc.serving.figures import Figures
from nsmc.serving.settings import ServerSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

log = logging.getLogger("nsmc.serving")

_PATHS = ("/", "/predict", "/healthz", "/readyz", "/metrics", "/openapi.json")
_LINGER_SECONDS = 2.0
_QUIET = ("/healthz", "/readyz", "/metrics")  # are asked all the time: no line in the log


class RefusalError(Exception):
    """A request that is not answered: the status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Protection:
    """Wraps the application: counts requests, bounds them, reads their bodies whole."""

    def __init__(self, app: App, settings: ServerSettings, figures: Figures) -> None:
        self.app, self.settings, self.figures = app, settings, figures
        self._open = 0  # requests with a body that are being read, wait, or are answered

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        has_body = scope["method"] == "POST"
        try:
            if has_body:
                self._enter()
                try:
                    receive = await self._whole(scope, receive)
                    await self.app(scope, receive, noting)
                finally:
                    self._open -= 1
            else:
                await self.app(scope, receive, noting)
        except RefusalError as refusal:
            await _refuse(receive, noting, refusal)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _enter(self) -> None:
        self._open += 1
        if self._open > self.settings.max_waiting:
            self._open -= 1
            raise RefusalError(429, f"{self.settings.max_waiting} requests are waiting; try again")

    async def _whole(self, scope: MutableMapping[str, Any], receive: Receive) -> Receive:
        """Read the body; returns what hands it to the application."""
        most = self.settings.max_body
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most:
            raise RefusalError(
                413, f"a body of {int(announced):,} bytes; at most {most:,} are read"
            )
        body, is_complete = bytearray(), False
        try:
            async with asyncio.timeout(self.settings.timeout):
                while not is_complete:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusalError(400, "the body ended early")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise RefusalError(413, f"a body of more than {most:,} bytes")
                    is_complete = not message.get("more_body", False)
        except TimeoutError:
            seconds = self.settings.timeout
            raise RefusalError(408, f"the body did not arrive within {seconds:g} s") from None
        is_given = False

        async def give() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()  # waits for the client to go away
            is_given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return give

    def _note(self, scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
        # Any path that somebody tries would be a new figure.
        path = scope["path"] if scope["path"] in _PATHS else "other"
        self.figures.answered(path, status, seconds)
        if scope["path"] in _QUIET and status < 400:
            return
        about = {
            "method": scope["method"],
            "path": path,
            "status": status,
            "ms": round(1000 * seconds, 3),
            "texts": scope.get("nsmc.texts"),
        }
        log.info({key: value for key, value in about.items() if value is not None})


async def _refuse(receive: Receive, send: Send, refusal: RefusalError) -> None:
    body = json.dumps({"detail": refusal.why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if refusal.status in (429, 503):
        headers.append((b"retry-after", b"1"))
    is_early = refusal.status in (408, 413, 429)  # the body may still be on its way
    if is_early:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": is_early})
    if is_early:
        await _linger(receive)
        await send({"type": "http.response.body"})


async def _linger(receive: Receive) -> None:
    """Let a body pass by for a while.

    A connection that is closed while its client still sends is reset, and the answer is lost.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
