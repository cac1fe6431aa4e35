"""What a server is told at its start; its processes hand it on through the environment."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

_VARIABLE = "NSMC_SERVER"  # of the environment, set by `nsmc serve` alone


@dataclass(frozen=True)
class ServerSettings:
    """Limits are those of one process; sizes in bytes, times in seconds."""

    bundle: str  # its folder
    max_body: int = 1 << 20
    max_texts: int = 1_000  # of a request
    max_characters: int = 100_000  # of a text
    max_waiting: int = 64  # requests at a time, those being answered among them
    timeout: float = 10.0  # for a request's body to arrive, and then for its turn
    threads: int = 1  # that compute answers
    unsure_below: float | None = None  # where a request does not say

    @property
    def folder(self) -> Path:
        return Path(self.bundle)


def hand_on(settings: ServerSettings) -> None:
    """Leave the settings for the processes that are started."""
    os.environ[_VARIABLE] = json.dumps(asdict(settings))


def handed_on() -> ServerSettings:
    return ServerSettings(**json.loads(os.environ[_VARIABLE]))
