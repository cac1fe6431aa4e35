"""`nsmc push`: puts a bundle onto a model hub."""

import argparse
import os
from typing import Any

from nsmc.cli.arguments import add_bundle, chosen_bundle
from nsmc.cli.messages import print_answer, print_error
from nsmc.extras import needs_extra


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "push",
        help="put a bundle onto a model hub",
        description=(
            "Makes the repository with the bundle's files and nothing else; with --update, adds a "
            "commit to one that is there. Needs a token that may write, in HF_TOKEN or from hf "
            "auth login. HF_ENDPOINT names another hub than huggingface.co."
        ),
    )
    parser.add_argument("repository", metavar="OWNER/NAME")
    add_bundle(parser)
    parser.add_argument("--private", action="store_true", help="a new repository")
    parser.add_argument("--update", action="store_true", help="a repository that is there")
    parser.add_argument("--branch", metavar="NAME", help="of an update (default: main)")
    parser.add_argument("--message", metavar="TEXT", help="of the commit")
    parser.add_argument(
        "--license", metavar="ID", help="in the card, such as mit or cc-by-4.0 (default: its own)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Push; raises ValueError for what does not combine, and what `push` raises."""
    try:
        from nsmc.conversion.upload import StalledError, Upload, push, repository_name
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('nsmc push', 'hub')}") from None
    if options.private and options.update:
        raise ValueError("--private is of a new repository, and --update of one that is there")
    if options.branch is not None and not options.update:
        raise ValueError("--branch is of a repository that is there: add --update")
    repository = repository_name(options.repository)
    chosen = {name: getattr(options, name) for name in ("branch", "message", "license")}
    upload = Upload(
        repository,
        is_private=options.private,
        is_update=options.update,
        **{name: value for name, value in chosen.items() if value is not None},
    )
    try:
        print_answer(push(chosen_bundle(options.bundle), upload))
    except StalledError as error:
        print_error(str(error))
        os._exit(1)  # any other end would wait for the library's threads, without end
    return 0
