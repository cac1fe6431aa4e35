"""The bundle that a worker answers with."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from nsmc.conversion.page import page_of
from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.predictor import Predictor

log = logging.getLogger("nsmc.serving")


@dataclass(frozen=True)
class Loaded:
    """A predictor, the page of its bundle, and by what the bundle is known."""

    predictor: Predictor
    page: bytes  # empty where the bundle cannot be one
    version: str  # of config.json, which has the digests of the other files


def load(folder: Path) -> Loaded:
    """Read and check the bundle; raises what `Predictor.load` raises."""
    bundle = read_bundle(folder)
    predictor = Predictor(bundle)
    predictor(["처음"])  # so that no request waits for what is made at the first use
    try:
        page, _ = page_of(folder, bundle, weights="int8", language="auto")
    except ValueError as error:  # the page cannot have every tokenizer
        page = ""
        log.warning("no page at /: %s", error)
    version = hashlib.sha256((folder / CONFIG_FILE).read_bytes()).hexdigest()[:16]
    return Loaded(predictor, page.encode(), version)
