"""`nsmc explain`: says which words of a review make its answer."""

import argparse
from pathlib import Path
from typing import Any

from nsmc.cli.arguments import chosen_bundle, load_predictor
from nsmc.cli.messages import has_colour, print_json, print_message


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "explain",
        help="say which words of a review make its answer",
        usage="nsmc explain [BUNDLE] TEXT ... [--json | --output PAGE.html]",
        description=(
            "For each TEXT the answer, its probability after each word, its probability without "
            "each word, and what the word adds to its log-odds. Without a BUNDLE, takes the one "
            "that nsmc predict takes. After --, texts may look like options."
        ),
    )
    parser.add_argument("words", nargs="*", metavar="BUNDLE TEXT", help="a bundle, then reviews")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="for programs")
    how.add_argument("--output", metavar="PAGE.html", help="one page that needs nothing else")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain; raises ValueError where there is no text, and what `Predictor.load` raises."""
    from nsmc.runtime.explanation import explain
    from nsmc.runtime.explanation_text import as_text
    from nsmc.runtime.locate import split_words

    bundle, texts = split_words(options.words)
    if not texts:
        raise ValueError('no text to explain: nsmc explain [BUNDLE] "TEXT"')
    output = options.output
    if output and Path(output).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--output {output}: it is an HTML page; end its name in .html")
    predictor = load_predictor(chosen_bundle(bundle))
    explanations = [explain(predictor, text) for text in texts]
    if output:
        from nsmc.atomic import write_file
        from nsmc.runtime.explanation_page import as_page

        write_file(Path(output), as_page(explanations))
        print_message(f"wrote {output}")
    elif options.json:
        print_json([each.as_json() for each in explanations])
    else:
        colour = has_colour()
        print("\n\n".join(as_text(each, colour) for each in explanations))
    return 0
