"""What the `nsmc` command prints; it may quote anyone's file, and a terminal obeys none of it."""

import json
import os
import sys

from nsmc.terminal import harmless, harmless_lines


def print_message(text: str) -> None:
    """Print a message on standard error."""
    print(harmless(text), file=sys.stderr)


def print_error(text: str) -> None:
    """Print why the command fails."""
    print_message(f"nsmc: error: {text}")


def print_answer(text: str) -> None:
    """Print an answer for people."""
    print(harmless_lines(text))


def print_json(content: object) -> None:
    """Print an answer for programs, which is changed only where a terminal would show it."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    print(harmless_lines(text) if is_terminal else text)


def has_colour() -> bool:
    """Whether standard output is a terminal whose user wants colours (https://no-color.org)."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout is not None and sys.stdout.isatty() and not is_plain
