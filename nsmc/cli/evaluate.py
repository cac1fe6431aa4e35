"""`nsmc evaluate`: measures a bundle on labelled reviews."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nsmc.cli.arguments import (
    add_bundle,
    add_file_options,
    chosen_bundle,
    file_format,
    return_memory_early,
)
from nsmc.cli.messages import print_answer, print_json, print_message

if TYPE_CHECKING:
    from nsmc.reading.file_format import FileFormat
    from nsmc.runtime.predictor import Predictor


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure a bundle on labelled reviews",
        description=(
            "Accuracy, macro F1, area under the ROC curve, cross-entropy, calibration error, how "
            "right the surest answers are, confusion matrix and the most confident mistakes. "
            "Damaged rows are left out and counted; more than a tenth of them, and a label that is "
            "not the bundle's, are refused."
        ),
    )
    add_bundle(parser)
    add_file_options(parser, labelled=True, required=True)
    parser.add_argument(
        "--target-accuracy",
        type=float,
        metavar="SHARE",
        help="say below which probability answers are to be left out for that accuracy, up to 1",
    )
    parser.add_argument(
        "--reference",
        metavar="BUNDLE or FILE",
        help="say whether the texts are like that bundle's validation reviews, or that file's",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure on a file. Raises what `evaluate` raises, and ValueError for a file of text."""
    from nsmc.reading.opening import name_of
    from nsmc.reading.rows import open_rows
    from nsmc.runtime.evaluation import evaluate
    from nsmc.runtime.predictor import Predictor

    target = options.target_accuracy
    if target is not None and not 0 < target <= 1:
        raise ValueError(f"--target-accuracy {target}: it is a share, above 0 and up to 1")
    return_memory_early()
    bundle = chosen_bundle(options.bundle)
    predictor = Predictor.load(bundle)
    form = file_format(options, bundle, predictor.config, labelled=True)
    reference = options.reference and _reference(options.reference, predictor, form)
    with open_rows(options.input, form) as rows:
        if rows.format == "text":
            raise ValueError(f"{name_of(options.input)}: a text file has no labels; see --format")
        source = name_of(options.input)
        evaluation = evaluate(
            predictor,
            rows,
            rows.unit,
            options.labels,
            source=source,
            target=target,
            reference=reference,
        )
    for message in evaluation.tally.messages:
        print_message(f"nsmc: left out: {message}")
    if options.json:
        print_json(evaluation.as_json())
    else:
        print_answer(evaluation.as_text())
    return 0


def _reference(named: str, predictor: "Predictor", form: "FileFormat") -> dict[str, Any]:
    """What the reviews of a bundle's validation part, or of a file, are like.

    Raises ValueError for a bundle that does not know, or has another tokenizer.
    """
    from nsmc.reading.rows import open_rows
    from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE
    from nsmc.runtime.evaluation import profile_of
    from nsmc.runtime.loading import read_config
    from nsmc.runtime.locate import PRETRAINED, bundle_folder, is_hub_name

    if named != PRETRAINED.name and not is_hub_name(named) and not Path(named).is_dir():
        with open_rows(named, form) as rows:
            return profile_of(predictor, rows)
    config = read_config(bundle_folder(Path(named)) / CONFIG_FILE)
    if config.sha256.get(TOKENIZER_FILE) != predictor.config.sha256.get(TOKENIZER_FILE):
        raise ValueError(f"--reference {named}: its tokenizer is another one, so nothing compares")
    texts: dict[str, Any] | None = (config.confidence or {}).get("texts")
    if texts is None:
        raise ValueError(
            f"--reference {named}: the bundle does not say what its validation reviews are like; "
            "name a file of them"
        )
    return texts
