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
            "Runs that differ in their seed make different mistakes, and are usually better "
            "together than each. The bundle has their networks side by side, and its logits are "
            "the mean of theirs: an ordinary bundle for every program that reads one, whose "
            "matrices grow with the square of the number of networks. They must be alike in all "
            "but the width of embeddings and states, and their weights."
        ),
    )
    parser.add_argument(
        "bundles",
        nargs="+",
        type=Path,
        metavar="BUNDLE",
        help="at least two: folders of bundles or runs, hf://OWNER/REPO, pretrained",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Merge; raises what `merge` raises."""
    from nsmc.conversion.merging import merge
    from nsmc.runtime.locate import bundle_folder

    folders = [bundle_folder(path) for path in options.bundles]
    print_answer(str(merge(folders, options.output, names=[*map(str, options.bundles)])))
    return 0
