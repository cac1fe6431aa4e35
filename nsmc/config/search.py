"""The section `search`: what a search tries, where it keeps its trials, and what they may cost."""

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from nsmc.config.keys import NAMED, Section, SparseSection
from nsmc.config.steps import is_plain, without_null
from nsmc.config.trainer import PositiveInt

Above0 = Annotated[float, Field(gt=0)]

# What `search.objectives` may name, and whether less of it is better.
OBJECTIVES = {
    **{"accuracy": False, "macro_f1": False, "f1": False, "auroc": False, "loss": True},
    **{"size": True, "time": True},
}
ENVIRONMENT = "env:"  # in `search.storage`, before the name of the variable that has the URL

# As SQLAlchemy reads them: NAME:PASSWORD@ before the host, or a password among what follows it.
_PASSWORD = re.compile(r"[^:/@]*://[^:/]*:[^@]*@|.*[?&][^=&]*(password|passwd|pwd)=", re.I | re.S)
_URL = re.compile(r"[a-z][\w+]*://\S+|env:\w+", re.ASCII | re.IGNORECASE)

HIDDEN = (
    "search.storage: has a password, which records and logs would show: put the URL into an "
    "environment variable, as SEARCH_URL, and set search.storage=env:SEARCH_URL"
)
_NO_URL = (
    "search.storage: must be the URL of a database, postgresql://USER@HOST/NAME, or env:VARIABLE, "
    "for an environment variable that has it"
)


def _is_plain(value: Any) -> Any:
    if not is_plain(value):
        raise ValueError("text, a number, true, false or null")
    return value


Choices = Annotated[list[Annotated[Any, AfterValidator(_is_plain)]], Field(min_length=1)]


class Range(Section):
    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low > self.high or (self.log and (self.low <= 0 or self.step is not None)):
            raise ValueError(
                "a range from low up to high; with log, low is above 0 and there is no step"
            )
        return self


def _list_or_range(values: Any) -> str:
    return "range" if isinstance(values, Mapping | Range) else "list"


Space = Annotated[
    Annotated[Choices, Tag("list")] | Annotated[Range, Tag("range")], Discriminator(_list_or_range)
]


def _are_objectives(names: Any) -> Any:
    if names is None:
        return None
    if (
        not isinstance(names, list)
        or not 2 <= len(names) <= 3
        or len(set(map(str, names))) < len(names)
    ):
        raise ValueError(f"two or three different ones of {', '.join(OBJECTIVES)}")
    for name in names:
        if name not in OBJECTIVES:
            close = difflib.get_close_matches(str(name), OBJECTIVES, n=1)
            meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(OBJECTIVES)}"
            raise PydanticCustomError(
                NAMED, "{text}", {"text": f"search.objectives: no objective {name!r}; {meant}"}
            )
    return names


def _is_storage(url: Any) -> Any:
    """A URL that can be written into records; no message shows a password that it may have."""
    if not isinstance(url, str):
        return url
    if has_password(url) or not _URL.fullmatch(url):
        text = HIDDEN if has_password(url) else _NO_URL
        raise PydanticCustomError(NAMED, "{text}", {"text": text})
    return url


def has_password(url: str) -> bool:
    """Whether a database's URL has a password in it."""
    return bool(_PASSWORD.match(url))


class SearchConfig(SparseSection):
    trials: PositiveInt
    hours: Above0 | None = None
    n_jobs: PositiveInt
    sampler: Literal["tpe", "gp", "random"]
    pruner: Literal["median", "hyperband", "none"]
    startup_trials: PositiveInt
    objectives: Annotated[list[str] | None, BeforeValidator(_are_objectives)] = None
    max_megabytes: Above0 | None = None
    max_microseconds: Above0 | None = None
    storage: Annotated[str | None, BeforeValidator(_is_storage)] = None
    space: Annotated[dict[str, Space], Field(min_length=1), BeforeValidator(without_null)]
    trial: Annotated[int, Field(ge=0)] | None

    @property
    def ends_trials_early(self) -> bool:
        """Whether the run is a trial that others may show to be a bad one."""
        return self.trial is not None and self.pruner != "none" and not self.objectives
