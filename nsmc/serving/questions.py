"""What is asked and what is answered: read from a body, written as JSON, and described."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from nsmc.serving.protection import RefusalError
from nsmc.serving.settings import ServerSettings


class Question(BaseModel):
    """One text, or several."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = ""
    texts: list[str] = []
    unsure_below: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Question":
        if len(self.model_fields_set & {"text", "texts"}) != 1:
            raise PydanticCustomError("one_of_both", "give either text or texts")
        return self

    @property
    def all_texts(self) -> list[str]:
        return [self.text] if "text" in self.model_fields_set else self.texts


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


def described(settings: ServerSettings) -> dict[str, Any]:
    """What the description for programs says of a question's body, the limits included."""
    text = {"type": "string", "maxLength": settings.max_characters}
    schema = {
        "type": "object",
        "properties": {
            "text": text,
            "texts": {"type": "array", "items": text, "maxItems": settings.max_texts},
            "unsure_below": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        },
        "additionalProperties": False,
        "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
        "examples": [{"text": "정말 재밌어요"}, {"texts": ["최고", "별로"], "unsure_below": 0.8}],
    }
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def read_question(body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Question:
    """The question in a body; raises RefusalError with what is wrong with it, without its texts."""
    sent = {name: value.decode("latin-1").strip().lower() for name, value in headers}
    kind = sent.get(b"content-type", "").partition(";")[0].rstrip()
    if kind != "application/json":
        raise RefusalError(415, "send the body as content-type: application/json")
    if sent.get(b"content-encoding", "identity") != "identity":
        raise RefusalError(415, "send the body without a content-encoding")
    try:
        return Question.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        detail = f"{where}: {first['msg']}" if where else first["msg"]
        raise RefusalError(422, detail[:300]) from None


def check_limits(texts: list[str], settings: ServerSettings) -> None:
    """Raises RefusalError for more texts, or longer ones, than are answered."""
    if len(texts) > settings.max_texts:
        raise RefusalError(
            422, f"{len(texts):,} texts; at most {settings.max_texts:,} in a request"
        )
    for index, text in enumerate(texts):
        if len(text) > settings.max_characters:
            most = settings.max_characters
            raise RefusalError(422, f"text {index}: {len(text):,} characters; at most {most:,}")


def answer(labels: tuple[str, ...], probabilities: list[float], below: float | None) -> OneAnswer:
    """What is said of one text. Not validated: the values are ours."""
    probability = max(probabilities)
    return OneAnswer.model_construct(
        label=labels[probabilities.index(probability)],
        probability=probability,
        probabilities=dict(zip(labels, probabilities, strict=True)),
        unsure=below is not None and probability < below,
    )


def written(answers: list[OneAnswer], bundle: str) -> bytes:
    """`Answers` as JSON."""
    about = {"answers": [vars(each) for each in answers], "bundle": bundle}
    return json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode()
