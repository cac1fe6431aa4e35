"""Makes standard output and error take every text, whatever encoding they have."""

import io
import os
import sys


def accept_every_text(discard_output: bool = False) -> None:
    """Write `?` for what an output cannot encode, and drop what goes to a closed standard error.

    Otherwise a terminal or a log without Hangul would end a program that has done its work, and
    messages would end up in the first file that is opened. `discard_output` is for a program whose
    work does not consist in what it prints: it may run with standard output closed, too.
    """
    if sys.stdout is None and discard_output:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _nowhere() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
