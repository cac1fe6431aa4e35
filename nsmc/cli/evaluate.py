"""`nsmc evaluate`: measures a bundle on labelled reviews."""

import argparse
from typing import Any

from nsmc.cli.arguments import add_bundle, add_file_options, chosen_bundle, return_memory_early
from nsmc.cli.messages import print_answer, print_json, print_message


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure a bundle on labelled reviews",
        description=(
            "Accuracy, F1, area under the ROC curve, cross-entropy, calibration error, confusion "
            "matrix and the most confident mistakes. Damaged rows are left out and counted; more "
            "than a tenth of them, and a label that is not the bundle's, are refused."
        ),
    )
    add_bundle(parser)
    add_file_options(parser, required=True)
    parser.add_argument(
        "--label",
        default="label",
        metavar="NAME",
        help="column of 0 and 1 or of the bundle's label names (default: label)",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure on a file. Raises what `evaluate` raises, and ValueError for a file of text."""
    from nsmc.runtime.evaluation import evaluate
    from nsmc.runtime.lines import name_of, opened
    from nsmc.runtime.predictor import Predictor
    from nsmc.runtime.readers import Columns, format_of, read_rows

    return_memory_early()
    predictor = Predictor.load(chosen_bundle(options.bundle))
    columns = Columns(options.column or "document", options.label)
    form, name = options.format or format_of(options.input), name_of(options.input)
    if form == "text":
        raise ValueError(f"{name}: a text file has no labels; see --format")
    with opened(options.input) as stream:
        evaluation = evaluate(predictor, read_rows(stream, form, columns, name))
    for line, error in evaluation.tally.first[:10]:
        print_message(f"nsmc: line {line} left out: {error}")
    if options.json:
        print_json(evaluation.as_json())
    else:
        print_answer(evaluation.as_text())
    return 0
