"""The two READMEs say the same: headings, commands, figures and links, in the same order."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
ENGLISH = (PROJECT / "README.md").read_text(encoding="utf-8")
KOREAN = (PROJECT / "README.ko.md").read_text(encoding="utf-8")

MOST_LINES = 200  # that a newcomer finishes

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def commands(page: str) -> list[str]:
    """The lines of the blocks of commands, without the comments after them."""
    blocks = re.findall(r"^    (.*)$", page, flags=re.MULTILINE)
    return [re.split(r" +# ", line)[0] for line in blocks]


def levels(page: str) -> list[int]:
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, flags=re.MULTILINE)]


def rows(page: str) -> list[list[str]]:
    """The figures of each table's row."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [_NUMBER.findall(line) for line in lines]


def links(page: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)]+)\)", page) if not link.startswith("README")]


def test_a_newcomer_finishes_it() -> None:
    assert len(ENGLISH.splitlines()) <= MOST_LINES
    assert len(KOREAN.splitlines()) <= MOST_LINES


def test_headings_commands_figures_and_links_agree() -> None:
    assert levels(KOREAN) == levels(ENGLISH)
    assert commands(KOREAN) == commands(ENGLISH)
    assert rows(KOREAN) == rows(ENGLISH)
    assert links(KOREAN) == links(ENGLISH)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_what_is_linked_is_there() -> None:
    made = re.findall(r"--output (outputs/\S+)", (PROJECT / "Makefile").read_text("utf-8"))
    for page in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), PROJECT / "rust/README.md"]:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            if link.startswith("http") or path in made:
                continue
            target = page.parent / path if path else page
            assert target.exists(), (page.name, link)
            assert not anchor or anchor in anchors(target), (page.name, link)
