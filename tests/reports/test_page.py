"""The page: whole, harmless whatever is in the records, and with the plotly.js that was checked."""

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

from nsmc.reports.page import ASSETS, SCRIPTS
from nsmc.reports.report import write_report
from tests.reports.factories import record, write

EVIL = '</script><b>boom</b><img src=x onerror="alert(1)">'


class Page(HTMLParser):
    """What a browser would find in the page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        is_script = self.tags and self.tags[-1] == "script" and len(data) > 1
        (self.scripts if is_script else self.texts).append(data)


def test_plotly_is_the_file_that_was_checked() -> None:
    for line in (ASSETS / "plotly-basic.sha256").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest
    text = (ASSETS / SCRIPTS[0]).read_text(encoding="utf-8")
    # It must stand in a script element as it is, or its hash would be another.
    assert "</script" not in text.lower() and "<!--" not in text and "\r" not in text


def test_the_page_needs_nothing_from_elsewhere_and_shows_texts_as_texts(tmp_path: Path) -> None:
    for name, value in (("good", None), ("odd", EVIL)):
        made = record(0.7, ckpt_path=value)
        write(tmp_path / name, {**made, "history": [{"epoch": 1, "val/accuracy": 0.8}]})
    write(tmp_path / "bad", {**record(seed=3), "status": "failed", "error": EVIL})
    (tmp_path / "importances.json").write_text(json.dumps({EVIL: 1.0}))
    write_report([tmp_path])
    page = Page(tmp_path / "report.html")
    assert page.links == ["data:,"]
    assert page.tags.count("script") == 3 and not {"b", "img", "iframe"} & set(page.tags)
    assert EVIL in page.texts  # the error; the parser has read the entities
    data, *scripts = page.scripts
    assert "<" not in data
    figures = json.loads(data)
    assert any("&lt;/script&gt;" in text for figure in figures for text in str(figure).split())
    assert "<b>boom" not in str(figures)
    assert scripts == [(ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS]


def test_browsers_may_run_the_two_scripts_and_load_nothing(tmp_path: Path) -> None:
    write(tmp_path / "0", record(0.8))
    write_report([tmp_path])
    page = Page(tmp_path / "report.html")
    hashes = [hashlib.sha256(script.encode()).digest() for script in page.scripts[1:]]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    assert page.policy.startswith(f"default-src 'none'; script-src {allowed}; ")
    assert "http" not in page.policy


def test_the_page_sorts_numbers_as_numbers(tmp_path: Path) -> None:
    write(tmp_path / "a", record(0.8, model__lr=0.0001))
    write(tmp_path / "b", record(0.75, model__lr=1))
    write_report([tmp_path])
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<td class="setting number" data-value="0.0001">0.0001</td>' in html
    assert '<td class="metric number" data-value="0.8">0.8000</td>' in html
    assert 'class="rank number" aria-sort="ascending"><button type="button">rank<' in html
    assert f'<td class="folder" data-value="{tmp_path}/b"' in html
    assert html.count('<tr class="best">') == 1
