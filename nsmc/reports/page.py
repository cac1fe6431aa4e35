"""The page `report.html`: one file that needs nothing else, not even a network.

Its parts lie in `assets/`: a Jinja2 template, which escapes every text, our style and script, and
plotly.js. A Content-Security-Policy lets browsers run these two scripts and nothing else, so that a
text from a record could do no harm even if it were not escaped.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from nsmc.reports.charts import Chart
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.records import Problem
from nsmc.reports.render_plotly import figure
from nsmc.reports.tables import Column, columns_of
from nsmc.reports.values import Value

ASSETS = files("nsmc.reports") / "assets"
SCRIPTS = ("plotly-basic.min.js", "report.js")

_MAX_CELL = 40  # characters: a longer cell may be cut off, and shows its whole text to a pointer


@dataclass(frozen=True)
class Section:
    """What the page shows of one task."""

    title: str
    board: Leaderboard
    charts: list[Chart]

    @property
    def columns(self) -> list[Column]:
        return columns_of(self.board)

    @property
    def rows(self) -> "Iterator[tuple[bool, list[Cell]]]":
        """Whether a row is the best of its corpus, and its cells."""
        columns = self.columns
        for index, row in enumerate(self.board.rows):
            yield row.is_best, [_cell(column, index) for column in columns]


class Cell(NamedTuple):
    text: str
    value: Value  # to sort by
    column: Column
    is_long: bool


def page(
    sections: Sequence[Section],
    problems: Sequence[Problem],
    notes: Sequence[str],
    about: str,
) -> str:
    """The whole page, as HTML."""
    loader = PackageLoader("nsmc.reports", "assets")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}
    scripts = [_asset(name) for name in SCRIPTS]
    return environment.get_template("report.html.jinja").render(
        sections=sections,
        problems=problems,
        notes=notes,
        about=about,
        figures=[figure(chart) for section in sections for chart in section.charts],
        style=_asset("report.css"),
        scripts=scripts,
        script_hashes=[_content_hash(script) for script in scripts],
    )


def _cell(column: Column, index: int) -> Cell:
    text, value = column.texts[index], column.values[index]
    return Cell(text, "" if value is None else value, column, len(text) > _MAX_CELL)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _content_hash(script: str) -> str:
    """What a Content-Security-Policy calls a script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
