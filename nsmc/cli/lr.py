"""`nsmc lr`: a range test of the learning rate, and its plot."""

import argparse
import sys
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import OUTPUTS, needs_training_libraries
from nsmc.cli.messages import print_message


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "lr",
        help="find a learning rate by a range test",
        description=(
            "Trains for some steps with a learning rate that grows from step to step, draws the "
            "loss over it, and suggests the rate at which the loss falls most steeply. Takes what "
            "nsmc train takes, KEY=VALUE and GROUP=CHOICE; nothing is kept but the plot."
        ),
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as of nsmc train")
    parser.add_argument(
        "--config-dir", type=Path, metavar="FOLDER", help="of your own YAML files, as of nsmc train"
    )
    parser.add_argument("--steps", type=int, default=200, help="of the test (default: 200)")
    parser.add_argument("--lowest", type=float, default=1e-5, help="rate (default: 0.00001)")
    parser.add_argument("--highest", type=float, default=1.0, help="rate (default: 1)")
    parser.add_argument(
        "--output", type=Path, default=OUTPUTS / "lr.png", metavar="FILE", help="of the plot"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Test, draw and suggest. Raises what `range_test` and `write_plot` raise."""
    with needs_training_libraries():
        from nsmc.config.composition import composed
        from nsmc.config.overrides import command_line, quoted, readable
        from nsmc.runs.lr_range import range_test, write_plot
        from nsmc.runs.resolvers import register_resolvers

    register_resolvers()
    overrides = [readable(override) for override in options.overrides]
    folder, searched, flags = options.config_dir, list[str](), list[str]()
    if folder is not None:
        if not folder.is_dir():
            raise NotADirectoryError(f"--config-dir {folder}: no such folder")
        searched = [f"hydra.searchpath=[{quoted(f'file://{folder.absolute()}')}]"]
        flags = ["--config-dir", str(folder)]
    show = None if sys.stderr is not None and sys.stderr.isatty() else print_message
    rates = (options.lowest, options.highest)
    result = range_test(composed([*searched, *overrides]), options.steps, *rates, show)
    write_plot(result, options.output)
    print(f"{len(result.rates)} steps, plot in {options.output}")
    if result.suggestion is None:
        raise ValueError(result.problem)
    others = [override for override in overrides if not override.startswith("model.lr=")]
    print(f"try     {command_line([*others, f'model.lr={result.suggestion:.2g}'], flags)}")
    return 0
