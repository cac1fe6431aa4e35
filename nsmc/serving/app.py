"""The application: texts in, answers out; the page; whether it is well, and its figures."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

import nsmc
from nsmc.runtime.predictor import Predictor
from nsmc.serving.figures import CONTENT_TYPE, Figures
from nsmc.serving.loaded import Loaded, load
from nsmc.serving.protection import Protection, RefusalError
from nsmc.serving.questions import (
    Answers,
    Problem,
    answer,
    check_limits,
    described,
    read_question,
    written,
)
from nsmc.serving.settings import ServerSettings, handed_on

log = logging.getLogger("nsmc.serving")

# Characters that are answered at once: handing them to a thread would take longer.
_AT_ONCE = 400
_PIECE = 64 << 10  # bytes of the page that wait for a client at a time


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 408, 413, 415, 422, 429, 503)
}


def from_environment() -> FastAPI:
    """The application of a worker."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # is for the supervisor
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    try:
        return create_app(handed_on())
    except (OSError, ValueError) as error:  # the folder was changed since
        log.error("%s", error)
        raise SystemExit(1) from None


def _end_with_supervisor() -> None:
    """A worker whose supervisor was killed would keep the port for ever."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


def create_app(settings: ServerSettings) -> FastAPI:
    """The application; the bundle is read at once, and raises what `Predictor.load` raises."""
    server = Server(settings, load(settings.folder))
    app = FastAPI(
        title="nsmc",
        version=nsmc.__version__,
        summary="Says which label texts have.",
        docs_url=None,  # both load their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # to the host that a request names, which may be anyone's
    )
    app.add_middleware(Protection, settings=settings, figures=server.figures)
    app.post(
        "/predict",
        responses={200: {"model": Answers}, **_PROBLEMS},
        openapi_extra=described(settings),
    )(server.predict)
    plain = {"content": {"text/plain": {}}, "description": "The bundle cannot be a page"}
    app.get("/", response_class=HTMLResponse, responses={404: plain})(server.page)
    for look in (server.healthz, server.readyz, server.metrics):
        app.get(f"/{look.__name__}", response_class=PlainTextResponse)(look)
    app.state.server = server
    return app


class Server:
    """Answers with one bundle."""

    def __init__(self, settings: ServerSettings, loaded: Loaded) -> None:
        self.settings, self.loaded = settings, loaded
        self.figures = Figures()
        self._turns = asyncio.Semaphore(settings.threads)

    async def predict(self, request: Request) -> Response:
        """Which label each text has."""
        question = read_question(await request.body(), request.scope["headers"])
        texts, settings, loaded = question.all_texts, self.settings, self.loaded
        request.scope["nsmc.texts"] = len(texts)
        check_limits(texts, settings)
        probabilities = await self._probabilities(loaded.predictor, texts)
        below = settings.unsure_below if question.unsure_below is None else question.unsure_below
        labels = loaded.predictor.config.labels
        answers = [answer(labels, row, below) for row in probabilities]
        for label, count in Counter(each.label for each in answers).items():
            self.figures.classified(label, count)
        self.figures.unsure(sum(each.unsure for each in answers))
        return Response(written(answers, loaded.version), media_type="application/json")

    async def _probabilities(self, predictor: Predictor, texts: list[str]) -> list[list[float]]:
        """Those of all labels, computed here where that is quick, else in a thread in turn."""
        if sum(map(len, texts)) <= _AT_ONCE:
            return _computed(predictor, texts)
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._turns.acquire()
        except TimeoutError:
            seconds = self.settings.timeout
            raise RefusalError(503, f"too busy: no turn within {seconds:g} s") from None
        try:
            return await anyio.to_thread.run_sync(_computed, predictor, texts)
        finally:
            self._turns.release()

    async def page(self) -> Response:
        """The bundle as a page that computes in the browser."""
        page = self.loaded.page
        if not page:
            return PlainTextResponse("this bundle cannot be a page; POST /predict", 404)
        headers = {"x-content-type-options": "nosniff", "content-length": str(len(page))}
        return StreamingResponse(_pieces(page), media_type="text/html", headers=headers)

    async def healthz(self) -> Response:
        """Whether the process lives."""
        return PlainTextResponse("ok")

    async def readyz(self) -> Response:
        """Whether requests should be sent here."""
        return PlainTextResponse(f"ready: {self.loaded.version}")

    async def metrics(self) -> Response:
        """Figures for Prometheus."""
        return Response(self.figures.as_text(), media_type=CONTENT_TYPE)


async def _pieces(page: bytes) -> AsyncIterator[bytes]:
    """So that a client that reads slowly makes no more than a piece wait in memory."""
    for start in range(0, len(page), _PIECE):
        yield page[start : start + _PIECE]


def _computed(predictor: Predictor, texts: list[str]) -> list[list[float]]:
    return predictor.probabilities(texts).tolist() if texts else []
