"""The application: texts in, answers out; the page; whether it is well, and its figures."""

import asyncio
import contextlib
import logging
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

import nsmc
from nsmc.runtime.predictor import Predictor
from nsmc.serving.figures import CONTENT_TYPE, Figures
from nsmc.serving.loaded import Loaded, load
from nsmc.serving.protection import Protection, RefusalError
from nsmc.serving.settings import ServerSettings, handed_on

log = logging.getLogger("nsmc.serving")

# Characters that are answered at once: handing them to a thread would take longer.
_AT_ONCE = 400


class Question(BaseModel):
    """One text, or several."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = None
    texts: list[str] | None = None
    unsure_below: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Question":
        if (self.text is None) == (self.texts is None):
            raise ValueError("give either text or texts")
        return self

    @property
    def all_texts(self) -> list[str]:
        return [self.text] if self.text is not None else self.texts or []


class OneAnswer(BaseModel):
    """The likeliest label, its probability, that of each label, and whether it is too low."""

    label: str
    probability: float
    probabilities: dict[str, float]
    unsure: bool


class Answers(BaseModel):
    """An answer for each text, in order, and the bundle that gave them."""

    answers: list[OneAnswer]
    bundle: str


class Problem(BaseModel):
    """Why a request is not answered."""

    detail: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 408, 413, 422, 429, 503)
}


def from_environment() -> FastAPI:
    """The application of a worker."""
    return create_app(handed_on())


def create_app(settings: ServerSettings) -> FastAPI:
    """The application; the bundle is read at once, and raises what `Predictor.load` raises."""
    server = Server(settings, load(settings.folder))
    app = FastAPI(
        title="nsmc",
        version=nsmc.__version__,
        summary="Says which label texts have.",
        lifespan=server.lifespan,
        docs_url=None,  # both load their scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(Protection, settings=settings, figures=server.figures)
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.post("/predict", response_model=Answers, responses=_PROBLEMS)(server.predict)
    app.get("/", response_class=HTMLResponse)(server.page)
    app.get("/healthz", response_class=PlainTextResponse)(server.healthz)
    app.get("/readyz", response_class=PlainTextResponse, responses={503: {}})(server.readyz)
    app.get("/metrics", response_class=PlainTextResponse)(server.metrics)
    app.state.server = server
    return app


class Server:
    """Answers with a bundle that SIGHUP replaces."""

    def __init__(self, settings: ServerSettings, loaded: Loaded) -> None:
        self.settings, self.loaded = settings, loaded
        self.figures = Figures()
        self._is_ending = False
        self._turns = asyncio.Semaphore(settings.threads)
        self._reading: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError, RuntimeError):  # no main thread, as in tests
            loop.add_signal_handler(signal.SIGHUP, self._reload_soon)
        yield
        self._is_ending = True

    def _reload_soon(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self.reload())

    async def reload(self) -> None:
        """Read the bundle again; a damaged one is left, and the one before it goes on."""
        folder = self.settings.folder
        try:
            self.loaded = await anyio.to_thread.run_sync(load, folder)
        except (OSError, ValueError, MemoryError) as error:
            log.error("not reloaded, the bundle of before goes on: %s", error)
            self.figures.reloaded(False)
        else:
            log.info("reloaded %s: %s", folder, self.loaded.version)
            self.figures.reloaded(True)

    async def predict(self, question: Question, request: Request) -> Answers:
        """Which label each text has."""
        texts, settings, loaded = question.all_texts, self.settings, self.loaded
        request.scope["nsmc.texts"] = len(texts)
        _check(texts, settings)
        probabilities = await self._probabilities(loaded.predictor, texts)
        below = settings.unsure_below if question.unsure_below is None else question.unsure_below
        labels = loaded.predictor.config.labels
        answers = [_answer(labels, row, below) for row in probabilities]
        for label, count in Counter(answer.label for answer in answers).items():
            self.figures.classified(label, count)
        self.figures.unsure(sum(answer.unsure for answer in answers))
        return Answers(answers=answers, bundle=loaded.version)

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
        if not self.loaded.page:
            return PlainTextResponse("this bundle cannot be a page; POST /predict", 404)
        return HTMLResponse(self.loaded.page, headers={"x-content-type-options": "nosniff"})

    async def healthz(self) -> str:
        """Whether the process lives."""
        return "ok"

    async def readyz(self) -> Response:
        """Whether requests should be sent here."""
        if self._is_ending:
            return PlainTextResponse("ending", 503)
        return PlainTextResponse(f"ready: {self.loaded.version}")

    async def metrics(self) -> Response:
        """Figures for Prometheus."""
        return Response(self.figures.as_text(), media_type=CONTENT_TYPE)


def _check(texts: list[str], settings: ServerSettings) -> None:
    if len(texts) > settings.max_texts:
        raise RefusalError(
            422, f"{len(texts):,} texts; at most {settings.max_texts:,} in a request"
        )
    for index, text in enumerate(texts):
        if len(text) > settings.max_characters:
            most = settings.max_characters
            raise RefusalError(422, f"text {index}: {len(text):,} characters; at most {most:,}")


def _computed(predictor: Predictor, texts: list[str]) -> list[list[float]]:
    return predictor.probabilities(texts).tolist() if texts else []


def _answer(labels: tuple[str, ...], probabilities: list[float], below: float | None) -> OneAnswer:
    probability = max(probabilities)
    return OneAnswer(
        label=labels[probabilities.index(probability)],
        probability=probability,
        probabilities=dict(zip(labels, probabilities, strict=True)),
        unsure=below is not None and probability < below,
    )


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong with a body, in one line, without the texts in it."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    detail = f"{where}: {first['msg']}" if where else str(first["msg"])
    return JSONResponse({"detail": detail[:300]}, 422)
