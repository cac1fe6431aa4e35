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
            "float16 halves the file, int8 halves it again, float32 undoes that; onnx is for "
            "programs that read it; html is one page that classifies in any browser, without a "
            "network. Says the size and how far answers are from those of before."
        ),
    )
    add_bundle(parser)
    parser.add_argument(
        "--to", required=True, choices=("float16", "float32", "int8", "onnx", "html")
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="by default beside the bundle: BUNDLE-float16, BUNDLE.html",
    )
    parser.add_argument(
        "--weights", choices=("int8", "float16"), help="of a page (default: int8, the smaller)"
    )
    parser.add_argument(
        "--language", choices=("auto", "ko", "en"), help="of a page (default: auto, the browser's)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert; raises ValueError for what does not combine, and what `convert` raises."""
    from nsmc.conversion.convert import convert, convert_to_page
    from nsmc.runtime.locate import is_hub_name

    bundle, output = chosen_bundle(options.bundle), options.output
    if output is None and options.bundle is not None and is_hub_name(options.bundle):
        # In the working directory, as the bundle itself is in the cache.
        repository = options.bundle.parts[2].partition("@")[0]
        output = Path(f"{repository}{'.html' if options.to == 'html' else f'-{options.to}'}")
    if options.to == "html":
        done = convert_to_page(
            bundle,
            output,
            weights=options.weights or "int8",
            language=options.language or "auto",
        )
    else:
        for name in ("weights", "language"):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name} is for pages: --to html")
        done = convert(bundle, options.to, output)
    print_answer(str(done))
    return 0
