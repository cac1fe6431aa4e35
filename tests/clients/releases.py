"""The releases of tokenizers that the runtime is tested with: `python -m tests.clients.releases`.

Prints them: the lowest that pyproject.toml allows, the one in constraints.txt, and the newest below
its ceiling, release candidates included.
"""

import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NEWEST = "1.0.0rc3"


def lowest() -> str:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [floor] = re.findall(r"tokenizers>=([\d.]+)", " ".join(project["dependencies"]))
    return floor


def pinned() -> str:
    constraints = (PROJECT / "constraints.txt").read_text(encoding="utf-8")
    [version] = re.findall(r"^tokenizers==(\S+)$", constraints, re.MULTILINE)
    return version


RELEASES = (lowest(), pinned(), NEWEST)

if __name__ == "__main__":
    print(*RELEASES)
