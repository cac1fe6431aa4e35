"""`nsmc info`: says what is in a bundle."""

import argparse
from typing import Any

from nsmc.cli.arguments import add_bundle, chosen_bundle
from nsmc.cli.messages import print_answer, print_json


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("info", help="say what is in a bundle")
    add_bundle(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from nsmc.runtime.info import as_text, info

    content = info(chosen_bundle(options.bundle))
    if options.json:
        print_json(content)
    else:
        print_answer(as_text(content))
    return 0
