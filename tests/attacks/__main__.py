"""Attacks the program from outside, and counts what holds: `python -m tests.attacks [NAME ...]`.

Hostile bundles, records, databases and files, signals at any moment, full disks, little memory.
Everything happens in scratch folders and is bounded; it takes many minutes, so the test suite has
only a small part of each class. NSMC_ROOT names the real corpus, which some classes use.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.attacks import bundles, files, memory, records, reviews, signals
from tests.attacks.common import Tally
from tests.commands import let_signals_through

ATTACKS: dict[str, Callable[[Tally, Path], None]] = {
    "bundles": bundles.attack,
    "files": files.attack,
    "memory": memory.attack,
    "records": records.attack,
    "reviews": reviews.attack,
    "signals": signals.attack,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ATTACKS))
    names = parser.parse_args().names or list(ATTACKS)
    if unknown := set(names) - ATTACKS.keys():
        print(f"no such attack: {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
        return 1
    let_signals_through()
    tallies = []
    for name in names:
        print(f"\n{name}", flush=True)
        tally = Tally(name)
        with tempfile.TemporaryDirectory() as scratch:
            ATTACKS[name](tally, Path(scratch))
        tallies.append(tally)
    print(f"\n{'':<12}{'cases':>8}{'held':>8}{'fell':>8}")
    for tally in tallies:
        cases = tally.held + len(tally.fell)
        print(f"{tally.name:<12}{cases:>8,}{tally.held:>8,}{len(tally.fell):>8,}")
    return int(any(tally.fell for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
