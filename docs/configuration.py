"""Writes docs/configuration.md: every key, from the schema and from the comments of the YAML files.

    python -m docs.configuration docs/configuration.md

The schema says what a key may hold; the YAML file under configs/ that chooses its value says what
it means.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from nsmc.atomic import write_file
from nsmc.config.composition import CONFIGS
from nsmc.config.keys import Because
from nsmc.config.schema import KEYS, MODEL_CONFIGS
from nsmc.config.trainer import KEPT
from nsmc.config.trainer_arguments import REFUSED, argument_names

# The groups in the order in which a newcomer meets them, each with the file that declares its keys
# first; further files of a group say only what they choose otherwise.
_GROUPS = {
    "data": "files",
    "model": "gru",
    "trainer": "default",
    "callbacks": "default",
    "logger": "tensorboard",
    "search": "optuna",
}
# Groups whose files set keys of other groups.
_PRESETS = ("experiment", "ablation", "debug")

_TYPES = {
    **{"string": "text", "boolean": "`true`, `false`", "array": "a list", "null": "`null`"},
    "object": "a mapping",
}
_NO_LIMIT = 2**31 - 1  # what a whole number holds anyway

_LINE = re.compile(
    r"^(?P<indent> *)(?P<key>[\w./-]+):(?: +(?P<value>[^#]*?))? *(?:# (?P<text>.*))?$"
)
# At a comment's end, for readers of the YAML: the page says what is allowed beside it.
_RANGE = re.compile(r"[,;] (above 0|[\d,]+ (and more|to (below )?[\d,]+))$")
_COMMENT = re.compile(r"^ *# (?P<text>.*)$")

_INTRODUCTION = """# Configuration

<!-- Made by `make docs` from nsmc/config/schema.py and the comments in configs/; do not edit. -->

Every key, its default, what it means and what it may hold. A value that is not allowed, and a key
that does not exist, end in one line before any data is read.

    python train.py KEY=VALUE …           # set keys
    python train.py GROUP=CHOICE …        # choose a file under configs/GROUP/
    python train.py --config-dir FOLDER … # or one of your own, FOLDER/GROUP/CHOICE.yaml
    python train.py --cfg job             # show the whole configuration, run nothing
"""


class Entry(NamedTuple):
    """A key in a YAML file: its default as it is written there, and its comment."""

    key: str
    default: str
    text: str


def entries(path: Path, prefix: str = "") -> list[Entry]:
    """The keys of a YAML file of ours; a comment continues in comments right below it."""
    entries: list[Entry] = []
    sections: list[tuple[int, str]] = []
    column = -1  # of the last key's comment
    for line in path.read_text(encoding="utf-8").splitlines():
        if comment := _COMMENT.match(line):
            if line.index("#") == column:
                last = entries.pop()
                entries.append(last._replace(text=f"{last.text} {comment['text']}"))
            continue
        column = -1
        if match := _LINE.match(line):
            indent = len(match["indent"])
            sections = [section for section in sections if section[0] < indent]
            sections.append((indent, match["key"]))
            key = prefix + ".".join(name for _, name in sections)
            entries.append(Entry(key, (match["value"] or "").strip(), match["text"] or ""))
            column = line.find("# ")
    return entries


def declared() -> dict[str, Entry]:
    """By key, the first entry in the group's files."""
    files = [(CONFIGS / "train.yaml", "")]
    for group, first in _GROUPS.items():
        paths = sorted((CONFIGS / group).glob("*.yaml"))
        files += [(path, f"{group}.") for path in sorted(paths, key=lambda p: p.stem != first)]
    declared: dict[str, Entry] = {}
    for path, prefix in files:
        for entry in entries(path, prefix):
            if entry.key in KEYS:
                declared.setdefault(entry.key, entry)
    return declared


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([_INTRODUCTION, *_groups(), *_sections(declared()), *_trainer_arguments()])


def _groups() -> Iterator[str]:
    yield "## Groups\n"
    yield "| group | choices |\n| --- | --- |"
    for group in (*_GROUPS, *_PRESETS):
        choices = sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))
        yield f"| `{group}` | {', '.join(f'`{choice}`' for choice in choices)} |"
    yield ""


def _sections(entries: dict[str, Entry]) -> Iterator[str]:
    """A table for each section; one that is null by default, such as recipe, is a row instead."""
    sections = {key for key in KEYS if "." not in key and KEYS.is_section(key)}
    sections -= {key for key, entry in entries.items() if entry.default == "null"}
    order = ["", *(name for name in _GROUPS if name in sections)]
    for section in [*order, *sorted(sections - {*order})]:
        yield f"## {f'`{section}`' if section else 'The run'}\n"
        yield "| key | default | what | allowed |\n| --- | --- | --- | --- |"
        keys = [key for key in KEYS if _is_in(key, section) and key not in sections]
        keys = [key for key in keys if not KEYS.is_section(key) or entries[key].default]
        yield from (_row(key, entries.get(key)) for key in keys)
        yield ""


def _trainer_arguments() -> Iterator[str]:
    """Which of Lightning's arguments are taken, by how they are: each is in one row."""
    names = sorted(argument_names())
    less = {name: [m.reason for m in _marks(name) if isinstance(m, Because)] for name in names}
    refused = {name: REFUSED[name] for name in names if name in REFUSED}
    fewer = {name: reasons[0] for name, reasons in less.items() if reasons}
    kept = {name: KEPT[name] for name in names if name in KEPT and name not in fewer}
    as_there = [name for name in names if name not in {*refused, *fewer, *kept}]
    yield "## Arguments of Lightning's Trainer\n"
    yield (
        f"Of the {len(names)} that the installed version has, {len(names) - len(refused)} are keys "
        f"of `trainer` and {len(refused)} are refused.\n"
    )
    yield "| how | of them | arguments |\n| --- | --- | --- |"
    yield f"| taken as Lightning takes them | {len(as_there)} | {', '.join(map(_code, as_there))} |"
    for how, reasons_by_name in (
        ("made to keep what a run promises", kept),
        ("taken with fewer values", fewer),
        ("refused", refused),
    ):
        cells = "<br>".join(f"{_code(name)}: {why}" for name, why in reasons_by_name.items())
        yield f"| {how} | {len(reasons_by_name)} | {cells} |"
    yield ""


def _marks(name: str) -> list[Any]:
    key = f"trainer.{name}"
    return KEYS[key].metadata if key in KEYS else []


def _code(name: str) -> str:
    return f"`{name}`"


def _is_in(key: str, section: str) -> bool:
    return key.startswith(f"{section}.") if section else "." not in key


def _row(key: str, entry: Entry | None) -> str:
    default = f"`{entry.default}`" if entry and entry.default else "keys, in its file"
    text = _RANGE.sub("", entry.text) if entry else ""
    cells = (f"`{key}`", default, text, _allowed_of(key))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _allowed_of(key: str) -> str:
    """What a key may hold; of a setting of some architectures, which these are."""
    section, _, name = key.partition(".")
    fields = {"": KEYS[key]}
    if section == "model" and name:
        models = {it: model.model_fields for it, model in MODEL_CONFIGS.items()}
        fields = {it: model[name] for it, model in models.items() if name in model}
    allowed = ", ".join(dict.fromkeys(_allowed(_schema(field)) for field in fields.values()))
    if section == "model" and 0 < len(fields) < len(MODEL_CONFIGS):
        allowed += f"; of {', '.join(f'`model={architecture}`' for architecture in fields)}"
    return allowed


def _schema(field: FieldInfo) -> dict[str, Any]:
    annotation: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotation).json_schema()


def _allowed(node: dict[str, Any]) -> str:
    """Such as "0 to below 1", "cpu, gpu or null", "1 and more"; `node` is JSON schema."""
    if "anyOf" in node:
        return " or ".join(map(_allowed, node["anyOf"]))
    if "enum" in node:
        return ", ".join(f"`{choice}`" for choice in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    type_ = node.get("type")
    if type_ in ("integer", "number"):
        return _range(node, "a whole number" if type_ == "integer" else "a number")
    return _TYPES.get(str(type_), "a section")


def _range(node: dict[str, Any], what: str) -> str:
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
    return " ".join([what, *parts])


if __name__ == "__main__":
    write_file(Path(sys.argv[1]), page().encode())
