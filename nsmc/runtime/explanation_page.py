"""Explanations as one HTML page that needs nothing else, and runs nothing."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from string import Template

from nsmc.runtime import explanation_section
from nsmc.runtime.explanation import Explanation
from nsmc.runtime.explanation_section import as_section

_HERE = Path(__file__)


def as_page(explanations: Iterable[Explanation]) -> str:
    """The page, complete."""
    style = _HERE.with_suffix(".css").read_text("utf-8") + explanation_section.style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = Template(_HERE.with_suffix(".html").read_text("utf-8"))
    reviews = "\n".join(map(as_section, explanations))
    return template.substitute(language="en", digest=digest, style=style, reviews=reviews)
