"""Writes docs/configuration.md: every key, from the schema and from the comments of the YAML files.

    python -m nsmc.config.reference docs/configuration.md

The schema says what a key may hold, the YAML file under configs/ that chooses its value what it
means. It changes no configuration.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsmc.atomic import write_file
from nsmc.config.schema import KEYS, RunConfig

CONFIGS = Path(__file__).parents[2] / "configs"

# The groups in the order in which a newcomer meets them, each with the file that declares its keys
# first; further files of a group say only what they choose otherwise.
_GROUPS = {
    "data": "folder",
    "model": "gru",
    "trainer": "default",
    "callbacks": "default",
    "logger": "default",
    "search": "optuna",
}
# Groups whose files set keys of other groups.
_PRESETS = ("experiment", "ablation")

_SCHEMA = RunConfig.model_json_schema()
_TYPES = {
    "string": "text",
    "boolean": "`true`, `false`",
    "array": "a list",
    "object": "a section",
    "null": "`null`",
}
_NO_LIMIT = 2**31 - 1  # what a whole number holds anyway

_LINE = re.compile(
    r"^(?P<indent> *)(?P<key>[\w./-]+):(?: +(?P<value>[^#]*?))? *(?:# (?P<text>.*))?$"
)
_COMMENT = re.compile(r"^ *# (?P<text>.*)$")

_INTRODUCTION = """# Configuration

<!-- Made by `make docs` from nsmc/config/schema.py and the comments in configs/; do not edit. -->

Every key, its default, what it means and what it may hold. A value that is not allowed, and a key
that does not exist, end in one line before any data is read.

    python train.py KEY=VALUE …           # set keys
    python train.py GROUP=CHOICE …        # choose a file under configs/GROUP/
    python train.py --cfg job             # show the whole configuration, run nothing
"""


@dataclass(frozen=True)
class Entry:
    """A key in a YAML file: its default as it is written there, and its comment."""

    key: str
    default: str
    text: str


def entries(path: Path, prefix: str = "") -> Iterator[Entry]:
    """The keys of a YAML file of ours, in order; a comment goes on in comments right below it."""
    sections: list[tuple[int, str]] = []
    pending: Entry | None = None
    column = -1  # of the comment
    for line in path.read_text(encoding="utf-8").splitlines():
        if comment := _COMMENT.match(line):
            if pending is not None and line.index("#") == column:
                text = f"{pending.text} {comment['text']}".strip()
                pending = Entry(pending.key, pending.default, text)
            continue
        if pending is not None:
            yield pending
            pending = None
        if not (match := _LINE.match(line)):
            continue
        indent = len(match["indent"])
        sections = [section for section in sections if section[0] < indent]
        key = prefix + ".".join([*(name for _, name in sections), match["key"]])
        sections.append((indent, match["key"]))
        pending = Entry(key, (match["value"] or "").strip(), match["text"] or "")
        column = line.find("# ")
    if pending is not None:
        yield pending


def declared() -> dict[str, Entry]:
    """By key, the first entry in the group's files."""
    files = [(CONFIGS / "train.yaml", "")]
    for group, first in _GROUPS.items():
        others = sorted(path for path in (CONFIGS / group).glob("*.yaml") if path.stem != first)
        files += [(path, f"{group}.") for path in (CONFIGS / group / f"{first}.yaml", *others)]
    found: dict[str, Entry] = {}
    for path, prefix in files:
        for entry in entries(path, prefix):
            if entry.key in KEYS:
                found.setdefault(entry.key, entry)
    return found


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([_INTRODUCTION, *_groups(), *_sections(declared())])


def _groups() -> Iterator[str]:
    yield "## Groups\n"
    yield "| group | choices |\n| --- | --- |"
    for group in (*_GROUPS, *_PRESETS):
        choices = sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))
        yield f"| `{group}` | {', '.join(f'`{choice}`' for choice in choices)} |"
    yield ""


def _sections(found: dict[str, Entry]) -> Iterator[str]:
    sections = {key.split(".")[0] for key in KEYS if KEYS.is_section(key.split(".")[0])}
    sections -= {key for key, entry in found.items() if entry.default == "null"}  # such as recipe
    order = ["", *(name for name in _GROUPS if name in sections)]
    order += sorted(sections - {*order})
    for section in order:
        keys = [key for key in KEYS if _is_in(key, section) and key not in sections]
        keys = [key for key in keys if not KEYS.is_section(key) or found[key].default]
        rows = [_row(key, found.get(key)) for key in keys]
        if rows:
            yield f"## {f'`{section}`' if section else 'The run'}\n"
            yield "| key | default | what | allowed |\n| --- | --- | --- | --- |"
            yield from rows
            yield ""


def _is_in(key: str, section: str) -> bool:
    return key.startswith(f"{section}.") if section else "." not in key


def _row(key: str, entry: Entry | None) -> str:
    default = f"`{entry.default}`" if entry and entry.default else ""
    nodes = _nodes(key)
    allowed = ", ".join(dict.fromkeys(map(_allowed, nodes.values())))
    if 0 < len(nodes) < len(_nodes("model.architecture")) and key.startswith("model."):
        allowed += f"; of {', '.join(f'`model={name}`' for name in nodes)}"
    cells = (f"`{key}`", default, entry.text if entry else "", allowed)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _nodes(key: str) -> dict[str, dict[str, Any]]:
    """What the JSON schema says of a key; of the section `model`, by architecture."""
    nodes = {"": _SCHEMA}
    for part in key.split("."):
        sections = {name: member for node in nodes.values() for name, member in _members(node)}
        nodes = {
            name: _resolved(section["properties"][part])
            for name, section in sections.items()
            if part in section.get("properties", {})
        }
    return nodes


def _members(node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sections that a node may be, by architecture where that decides."""
    for member in node.get("oneOf", node.get("anyOf", [node])):
        section = _resolved(member)
        yield section.get("properties", {}).get("architecture", {}).get("const", ""), section


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The node, or the one that it refers to."""
    name = node.get("$ref", "").removeprefix("#/$defs/")
    return _SCHEMA["$defs"][name] if name else node


def _allowed(node: dict[str, Any]) -> str:
    """Such as "0 to below 1", "cpu, gpu or null", "1 and more"."""
    if "anyOf" in node:
        return " or ".join(_allowed(_resolved(member)) for member in node["anyOf"])
    if "enum" in node:
        return ", ".join(f"`{choice}`" for choice in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    kind = node.get("type", "")
    if kind in ("integer", "number"):
        return _range(node, "a whole number" if kind == "integer" else "a number")
    return _TYPES.get(kind, kind)


def _range(node: dict[str, Any], kind: str) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    parts = []
    if low is not None:
        parts.append(f"from {low:g}")
    elif (above := node.get("exclusiveMinimum")) is not None:
        parts.append(f"above {above:g}")
    if high is not None and high < _NO_LIMIT:
        parts.append(f"up to {high:,}")
    elif (below := node.get("exclusiveMaximum")) is not None:
        parts.append(f"below {below:g}")
    return " ".join([kind, *parts])


if __name__ == "__main__":
    write_file(Path(sys.argv[1]), page().encode())
