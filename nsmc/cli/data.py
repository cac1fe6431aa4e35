"""`nsmc data`: looks at a file before it is trained on, and writes the YAML for it."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import needs_training_libraries
from nsmc.cli.messages import print_answer, print_json


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "data",
        help="look at a file of reviews before training on it",
        description=(
            "Rows, labels, lengths, duplicates and damage of a file, and the YAML to keep as "
            "configs/data/NAME.yaml. Settings that are not given are guessed."
        ),
    )
    parser.add_argument("file", metavar="FILE", help="TSV, CSV, JSON Lines, JSON, Parquet or text")
    parser.add_argument(
        "settings",
        nargs="*",
        metavar="KEY=VALUE",
        help="as for nsmc train, with or without data. before the KEY: label_column=stars",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look at the file. Raises what composing the configuration and reading the files raise."""
    with needs_training_libraries():
        from nsmc.cli.data_report import as_text, inspected

    report = inspected(options.file, _prefixed(options.settings))
    if options.json:
        print_json(report)
    else:
        print_answer(as_text(report))
    return 0


def _prefixed(settings: Sequence[str]) -> list[str]:
    """The settings as `nsmc train` takes them; raises ValueError for one that is none."""
    overrides = []
    for setting in settings:
        key, equals, _ = setting.partition("=")
        if not equals:
            hint = (
                f"; is {setting} another file? test_file={setting}"
                if Path(setting).exists()
                else ""
            )
            raise ValueError(f"{setting}: not a setting, KEY=VALUE{hint}")
        is_whole = key == "data" or key.startswith("data.")
        overrides.append(setting if is_whole else f"data.{setting}")
    return overrides
