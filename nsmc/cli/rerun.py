"""`nsmc rerun`: runs a recorded job once more and compares."""

import argparse
import sys
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import needs_training_libraries
from nsmc.termination import leave


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "rerun",
        help="run a recorded job once more and compare",
        description=(
            "Runs the job of a run's folder again, with the same configuration, seed and data, and "
            "says whether the result is the same; on a CPU it is, to the bit. Exit code 1 if not."
        ),
    )
    parser.add_argument("folder", type=Path, metavar="RUN_FOLDER", help="has the run.json")
    parser.add_argument("--root", metavar="FOLDER", help="where the corpus is now")
    parser.add_argument(
        "--config-dir",
        type=Path,
        metavar="FOLDER",
        help="of your own files, which may name classes that the run calls",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the job again; 0 where the result is the same. Raises what `rerun` raises."""
    with needs_training_libraries():
        from nsmc.runs.rerun import rerun
        from nsmc.training.signals import Interrupted, raise_on_signals

    raise_on_signals()
    try:
        return int(not rerun(options.folder, options.root, config_dir=options.config_dir))
    except (KeyboardInterrupt, Interrupted) as error:
        print("interrupted", file=sys.stderr)
        leave(error.exit_code if isinstance(error, Interrupted) else 130)
