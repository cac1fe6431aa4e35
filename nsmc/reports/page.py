"""The page `report.html`: one file that needs nothing else, not even a network."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from plotly.offline import get_plotlyjs

from nsmc.reports.assets import SCRIPT, STYLE
from nsmc.reports.figures import Figure
from nsmc.reports.leaderboard import Leaderboard
from nsmc.reports.runs import Problem
from nsmc.reports.tables import Column, columns_of
from nsmc.reports.values import Value

_CUT_OFF = 40  # characters: a longer cell may be cut off, and shows its text to a pointer


@dataclass(frozen=True)
class Section:
    """What the page shows of one task."""

    title: str
    board: Leaderboard
    figures: dict[str, Figure]


def page(
    sections: Sequence[Section],
    problems: Sequence[Problem],
    notes: Sequence[str],
    about: str,
) -> str:
    """The whole page. Every text is escaped here, but for those inside the figures."""
    figures = [figure for section in sections for figure in section.figures.values()]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><title>nsmc report</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',  # or a server is asked for one
        f"<style>{STYLE}</style></head><body>",
        f'<main><h1>nsmc report</h1><p class="faint">{escape(about)}</p>',
        *(f'<p class="faint">{escape(note)}</p>' for note in notes),
        *_sections(sections),
        *_problem_section(problems),
        "</main>",
        f'<script type="application/json" id="figures">{_json(figures)}</script>',
        f"<script>{get_plotlyjs()}</script>",
        f"<script>{SCRIPT}</script>",
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _sections(sections: Sequence[Section]) -> Iterable[str]:
    drawn = 0
    for section in sections:
        title = escape(section.title)
        yield f"<section><h2>{title}</h2>"
        yield f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        yield from _table(section.board)
        yield "</div></section>"
        yield from _pictures(list(section.figures), drawn)
        drawn += len(section.figures)


def _table(board: Leaderboard) -> Iterable[str]:
    columns = columns_of(board)
    yield '<table class="leaderboard"><thead><tr>'
    for column in columns:
        sorted_by = ' aria-sort="ascending"' if column is columns[0] else ""
        button = f'<button type="button">{escape(column.title)}</button>'
        yield f'<th scope="col"{_class_of(column)}{sorted_by}>{button}</th>'
    yield "</tr></thead><tbody>"
    for place, row in enumerate(board.rows):
        yield '<tr class="best">' if row.is_best else "<tr>"
        for column in columns:
            text, value = escape(column.texts[place]), _sorting(column.values[place])
            whole = f' title="{text}"' if len(text) > _CUT_OFF else ""
            yield f'<td{_class_of(column)} data-value="{value}"{whole}>{text}</td>'
        yield "</tr>"
    yield "</tbody></table>"


def _pictures(titles: Sequence[str], first: int) -> Iterable[str]:
    yield '<div class="pictures">'
    for place, title in enumerate(titles, first):
        wide = ' class="wide"' if place == first else ""
        name = f'role="img" aria-label="{escape(title)}"'
        yield f"<section{wide}><h3>{escape(title)}</h3>"
        yield f'<div id="figure-{place}" {name}></div></section>'
    yield "</div>"


def _problem_section(problems: Sequence[Problem]) -> Iterable[str]:
    if not problems:
        return
    yield f"<section><h2>Without a result ({len(problems):,})</h2>"
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Without a result">'
    yield '<table><thead><tr><th scope="col">status</th><th scope="col">run</th>'
    yield '<th scope="col">why</th></tr></thead><tbody>'
    for problem in problems:
        yield f'<tr><td class="status">{escape(problem.status)}</td>'
        yield f"<td>{escape(problem.name)}</td><td>{escape(problem.why)}</td></tr>"
    yield "</tbody></table></div></section>"


def _class_of(column: Column) -> str:
    return ' class="number"' if column.is_numeric else ""


def _sorting(value: Value | None) -> str:
    return "" if value is None else escape(str(value))


def _json(content: object) -> str:
    """JSON that stands in a script element: without a "<", no tag can end it."""
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c")
