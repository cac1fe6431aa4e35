"""`nsmc merge`: writes several bundles as one."""

import argparse
from pathlib import Path
from typing import Any

from nsmc.cli.messages import print_answer


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "merge",
        help="put several bundles into one, which answers as they do together",
        description=(
            "Runs of one kind with other seeds make other mistakes, so together they are better "
            "than each. The bundle has their networks side by side, and its logits are the mean of "
            "theirs: an ordinary bundle, that many times as large, for every program that reads "
            "one. They must have the same tokenizer, labels and architecture; sizes may differ."
        ),
    )
    parser.add_argument(
        "bundles",
        nargs="+",
        type=Path,
        metavar="BUNDLE",
        help="two or more: folders of bundles or runs, hf://OWNER/REPO, pretrained",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merge; raises what `merge` raises."""
    from nsmc.conversion.merging import merge
    from nsmc.runtime.locate import bundle_folder

    folders = [bundle_folder(path) for path in options.bundles]
    print_answer(str(merge(folders, options.output)))
    return 0
