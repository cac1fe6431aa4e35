"""The page `report.html`: one file that needs nothing else, not even a network.

Its parts lie in `assets/`: a Jinja2 template, which escapes every text, our style and script, and
plotly.js. A Content-Security-Policy lets browsers run these two scripts and nothing else, so that a
text from a record could do no harm even if it were not escaped.
"""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from nsmc.reports.charts import Chart
from nsmc.reports.hardest import Hardest
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.records import Problem
from nsmc.reports.render_plotly import figure
from nsmc.reports.tables import Table, columns_of
from nsmc.runtime import explanation_section
from nsmc.runtime.explanation_section import as_section

ASSETS = files("nsmc.reports") / "assets"
SCRIPTS = ("plotly-basic.min.js", "report.js")


class Section(NamedTuple):
    """What the page shows of one task."""

    title: str
    board: Leaderboard
    charts: list[Chart]
    tables: Sequence[Table] = ()
    hardest: Sequence[Hardest] = ()


def page(
    sections: Sequence[Section],
    problems: Sequence[Problem],
    notes: Sequence[str],
    about: str,
) -> str:
    """The whole page, as HTML."""
    environment = Environment(
        loader=PackageLoader("nsmc.reports", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    scripts = [_asset(name) for name in SCRIPTS]
    return environment.get_template("report.html.jinja").render(
        sections=sections,
        columns_of=columns_of,
        best_rows=lambda board: [n for n, row in enumerate(board.rows) if row.is_best],
        problems=problems,
        notes=notes,
        about=about,
        figures=[figure(chart) for section in sections for chart in section.charts],
        explained=lambda review: as_section(
            review.explanation, f", labelled {review.label}", heading="h4"
        ),
        style=_asset("report.css") + explanation_section.style(),
        scripts=scripts,
        script_hashes=[_content_hash(script) for script in scripts],
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _content_hash(script: str) -> str:
    """What a Content-Security-Policy calls a script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
