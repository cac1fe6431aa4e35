"""`nsmc convert`: writes a bundle in another form."""

import argparse
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import add_bundle, chosen_bundle
from nsmc.cli.messages import print_answer

# The types of weights that a form offers, the one that it has by default first.
_WEIGHTS = {"html": ("int8", "float16"), "onnx": ("float32", "int8")}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "convert",
        help="write a bundle in another form",
        description=(
            "float16 halves the file, int8 halves it again, float32 undoes that; onnx is for "
            "programs that read it; html is one page that classifies in any browser, without a "
            "network. A smaller vocabulary makes any of them smaller. Says the size and how far "
            "answers are from those of before."
        ),
    )
    add_bundle(parser)
    parser.add_argument("--to", choices=("float16", "float32", "int8", "onnx", "html"))
    parser.add_argument(
        "--vocab-size",
        type=int,
        metavar="N",
        help="leave out the rarest tokens until there are N; without --to, the form stays",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="by default beside the bundle: BUNDLE-float16, BUNDLE-vocab4000, BUNDLE.html",
    )
    parser.add_argument(
        "--weights",
        choices=("int8", "float16", "float32"),
        help="of a page int8 (the default) or float16, of onnx float32 (the default) or int8",
    )
    parser.add_argument(
        "--language", choices=("auto", "ko", "en"), help="of a page (default: auto, the browser's)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Convert; raises ValueError for what does not combine, and what `convert` raises."""
    from nsmc.conversion.convert import convert, convert_to_page, converted_name
    from nsmc.runtime.locate import is_hub_name

    weights, size = _checked_weights(options), options.vocab_size
    folder, output = chosen_bundle(options.bundle), options.output
    if output is None and options.bundle is not None and is_hub_name(options.bundle):
        # In the working directory, as the bundle itself is in the cache.
        repository = options.bundle.parts[2].partition("@")[0]
        output = Path(converted_name(repository, options.to, weights, size))
    if options.to == "html":
        language = options.language or "auto"
        done = convert_to_page(folder, output, weights=weights, language=language, vocab_size=size)
    else:
        done = convert(folder, options.to, output, weights=weights, vocab_size=size)
    print_answer(str(done))
    return 0


def _checked_weights(options: argparse.Namespace) -> str:
    """The type of the weights of a form that offers several; raises as `run` does."""
    if options.to is None and options.vocab_size is None:
        raise ValueError("say what to convert to: --to float16, int8, … or --vocab-size N")
    if options.language is not None and options.to != "html":
        raise ValueError("--language is for pages: --to html")
    offered = _WEIGHTS.get(options.to, ())
    if options.weights is not None and options.weights not in offered:
        forms = " or ".join(
            f"--to {form}" for form, types in _WEIGHTS.items() if options.weights in types
        )
        raise ValueError(f"--weights {options.weights} is for {forms}")
    return options.weights or (offered[0] if offered else "float32")
