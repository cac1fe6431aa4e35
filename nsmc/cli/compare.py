"""`nsmc compare`: two runs, or two bundles on a file, review by review."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nsmc.cli.arguments import (
    add_file_options,
    file_format,
    file_options,
    needs_training_libraries,
    return_memory_early,
)
from nsmc.cli.messages import print_answer, print_json, print_message

if TYPE_CHECKING:
    from nsmc.comparison.answers import Answers
    from nsmc.comparison.compare import Comparison

_PARTS = {"val": "validation", "test": "test"}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="compare two runs, or two bundles on a file, review by review",
        description=(
            "Metrics and their difference with an interval, agreement, McNemar's test, accuracy by "
            "slice, and the reviews that get different answers, the most confident first. Of runs, "
            "by the answers that they kept; with --input, by what the bundles say of a file."
        ),
    )
    for name in ("first", "second"):
        parser.add_argument(
            name, type=Path, metavar="AB"[name == "second"], help="a run's folder, or a bundle's"
        )
    parser.add_argument(
        "--part", choices=tuple(_PARTS), help="of the runs' corpus (default: test, if both have it)"
    )
    add_file_options(parser, labelled=True)
    parser.add_argument(
        "--slice",
        action="append",
        default=[],
        metavar="NAME=REGEX",
        help="a slice of your own: reviews in which the regular expression is found",
    )
    parser.add_argument(
        "--slice-column", metavar="NAME", help="a slice for each value of a column of the file"
    )
    parser.add_argument(
        "--limit", type=_count, default=20, metavar="N", help="differences that are shown (20)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text}: expected a number, 0 or more")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Compare. Raises ValueError or OSError, in one line, for what cannot be compared."""
    if options.input is None:
        for name in (*file_options(labelled=True), "labels"):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is for files: name one with --input")
        comparison, what = _of_runs(options)
    elif options.part is not None:
        raise ValueError("--part is of the runs' corpus, and --input of another file: choose one")
    else:
        comparison, what = _of_file(options)
    if options.json:
        names = {"first": str(options.first), "second": str(options.second), "on": what}
        print_json({**names, **comparison.as_json(options.limit)})
    else:
        heading = f"A  {options.first}\nB  {options.second}\non {what}"
        print_answer(f"{heading}\n\n{comparison.as_text(options.limit)}")
    return 0


def _of_file(options: argparse.Namespace) -> tuple["Comparison", str]:
    """What two bundles say of a file; without the training libraries."""
    from nsmc.comparison.compare import Comparison
    from nsmc.comparison.labelled import by_column, by_patterns, compiled, labelled_reviews
    from nsmc.reading.opening import name_of
    from nsmc.reading.rows import open_rows
    from nsmc.runtime.locate import bundle_folder
    from nsmc.runtime.predictor import Predictor

    return_memory_early()
    patterns = compiled(options.slice)
    bundles = [bundle_folder(path) for path in (options.first, options.second)]
    predictors = [Predictor.load(bundle) for bundle in bundles]
    form = file_format(options, bundles[0], predictors[0].config, labelled=True)
    with open_rows(options.input, form, others=options.slice_column is not None) as rows:
        if rows.format == "text":
            raise ValueError(f"{name_of(options.input)}: a text file has no labels; see --format")
        source = name_of(options.input)
        # With all columns while a label is still as the file has it.
        read = rows if options.slice_column is None else rows.with_all_columns()
        reviews = labelled_reviews(predictors[0], read, rows.unit, options.labels, source)
    for message in reviews.tally.messages:
        print_message(f"nsmc: left out: {message}")
    names = predictors[0].config.labels
    first, second = (reviews.answers(predictor, names) for predictor in predictors)
    order = reviews.keys.ids.argsort(kind="stable")  # which the answers are in
    masks = by_patterns(patterns, reviews.texts)
    if options.slice_column is not None:
        masks |= by_column(options.slice_column, reviews.columns)
    return Comparison(
        first,
        second,
        texts=dict(zip(reviews.keys.ids.tolist(), reviews.texts, strict=True)),
        own_slices={name: mask[order] for name, mask in masks.items()},
    ), f"{name_of(options.input)}"


def _of_runs(options: argparse.Namespace) -> tuple["Comparison", str]:
    """What two runs kept of the same reviews, with their texts where the corpus is still there."""
    from nsmc.comparison.compare import Comparison, on_common_reviews
    from nsmc.comparison.labelled import by_column, by_patterns, compiled

    with needs_training_libraries():
        from nsmc.runs.review_rows import rows_of, run_folder, run_record

    patterns = compiled(options.slice)
    folders = [run_folder(path) for path in (options.first, options.second)]
    records = [run_record(folder) for folder in folders]
    if len({record.get("corpus_fingerprint") for record in records}) > 1:
        raise ValueError("the runs are of different corpora: compare them on a file, with --input")
    part, kept = _kept(folders, options.part)
    first, second = on_common_reviews(*kept)
    if len(first) < max(map(len, kept)):
        print_message(
            f"nsmc: {len(first):,} reviews are in the {_PARTS[part]} parts of both, of "
            f"{len(kept[0]):,} and {len(kept[1]):,}; another data.split_seed divided them otherwise"
        )
    try:
        rows = rows_of(folders[0], records[0], part)
    except (OSError, ValueError) as error:
        if patterns or options.slice_column:
            raise
        rows = {}
        print_message(f"nsmc: without the reviews' texts: {error}")
    of_ids = [rows.get(key) for key in first.ids.tolist()]
    masks = by_patterns(patterns, [row.text if row else "" for row in of_ids])
    if options.slice_column is not None:
        masks |= by_column(options.slice_column, [row.others if row else {} for row in of_ids])
    texts = {key: row.text for key, row in rows.items()}
    return Comparison(first, second, texts, masks), f"the {_PARTS[part]} part"


def _kept(folders: list[Path], part: str | None) -> tuple[str, list["Answers"]]:
    """The part, by default the test part where both have it, and what both runs kept of it."""
    from nsmc.comparison.answers import read_answers

    for name in (part,) if part else ("test", "val"):
        kept = [read_answers(folder, name) for folder in folders]
        known = [answers for answers in kept if answers is not None]
        if len(known) == len(folders):
            return name, known
    without = [str(folder) for folder, answers in zip(folders, kept, strict=True) if not answers]
    raise ValueError(
        f"{without[0]}: kept no answers to {_PARTS[name]} reviews; --input compares the bundles"
    )
