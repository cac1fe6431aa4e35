"""`nsmc evaluate`: measures a bundle on labelled reviews."""

import argparse
from typing import Any

from nsmc.cli.arguments import (
    add_bundle,
    add_file_options,
    chosen_bundle,
    file_format,
    return_memory_early,
)
from nsmc.cli.messages import print_answer, print_json, print_message


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure a bundle on labelled reviews",
        description=(
            "Accuracy, macro F1, area under the ROC curve, cross-entropy, calibration error, "
            "confusion matrix and the most confident mistakes. Damaged rows are left out and "
            "counted; more than a tenth of them, and a label that is not the bundle's, are refused."
        ),
    )
    add_bundle(parser)
    add_file_options(parser, labelled=True, required=True)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure on a file. Raises what `evaluate` raises, and ValueError for a file of text."""
    from nsmc.reading.opening import name_of
    from nsmc.reading.rows import open_rows
    from nsmc.runtime.evaluation import evaluate
    from nsmc.runtime.predictor import Predictor

    return_memory_early()
    bundle = chosen_bundle(options.bundle)
    predictor = Predictor.load(bundle)
    form = file_format(options, bundle, predictor.config, labelled=True)
    with open_rows(options.input, form) as rows:
        if rows.format == "text":
            raise ValueError(f"{name_of(options.input)}: a text file has no labels; see --format")
        source = name_of(options.input)
        evaluation = evaluate(predictor, rows, rows.unit, options.labels, source=source)
    for message in evaluation.tally.messages:
        print_message(f"nsmc: left out: {message}")
    if options.json:
        print_json(evaluation.as_json())
    else:
        print_answer(evaluation.as_text())
    return 0
