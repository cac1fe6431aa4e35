"""The metadata block of a model card: YAML between two lines `---`, which model hubs read.

https://huggingface.co/docs/hub/model-cards. It is written in `training`; here it is found, and one
value of it replaced, without a reader of YAML.
"""

import re

_BLOCK = re.compile(r"\A---\n(.*?\n)---\n+", flags=re.DOTALL)
_LICENSE = re.compile(r"^license: .*\n", flags=re.MULTILINE)
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # of a license, as hubs write them


def without_metadata(card: str) -> str:
    """What is for people to read."""
    return _BLOCK.sub("", card)


def with_license(card: str, license_: str) -> str:
    """The card under another license; raises ValueError for what is no identifier of one."""
    if not _IDENTIFIER.fullmatch(license_):
        raise ValueError(f"license {license_!r}: expected an identifier, such as mit or cc-by-4.0")
    block, line = _BLOCK.match(card), f"license: {license_}\n"
    if block is None:
        return f"---\n{line}---\n\n{card}"
    lines = block.group(1)
    replaced = _LICENSE.sub(line, lines) if _LICENSE.search(lines) else lines + line
    return f"---\n{replaced}---\n\n{card[block.end() :]}"
