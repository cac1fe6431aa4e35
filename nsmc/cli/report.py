"""`nsmc report`: compares the runs of one or more folders."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import needs_training_libraries


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        help="compare the runs of one or more folders",
        description=(
            "Reports on every run below the folders: a table of the settings, best first, on the "
            "terminal; leaderboard.csv, leaderboard.md, plots and the page report.html in a folder."
        ),
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="holds runs")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where to write; by default the one FOLDER, or outputs/report for several",
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="WORD",
        help="only runs with tags=[WORD]; several times: with each of them",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Report over folders of runs. Raises what `write_report` raises."""
    with needs_training_libraries():
        from nsmc.reports.report import write_report

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    ansi = is_terminal and "NO_COLOR" not in os.environ
    print(write_report(options.folders, options.output, ansi=ansi, tags=options.tag))
    return 0
