"""`nsmc convert`: writes a bundle in another form."""

import argparse
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import add_bundle, chosen_bundle
from nsmc.cli.messages import print_answer


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "convert",
        help="write a bundle in another form",
        description=(
            "float16 halves the file, float32 undoes that; onnx is for programs that read it. Says "
            "the size and the largest difference of a probability."
        ),
    )
    add_bundle(parser)
    parser.add_argument("--to", required=True, choices=("float16", "float32", "onnx"))
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="by default beside the bundle: BUNDLE-float16"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from nsmc.conversion.convert import convert

    print_answer(str(convert(chosen_bundle(options.bundle), options.to, options.output)))
    return 0
