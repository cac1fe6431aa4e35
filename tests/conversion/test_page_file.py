"""The page as a file: what is in it, what runs in it, and what cannot be one."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from nsmc.conversion.convert import convert_to_page
from nsmc.runtime.loading import read_vocabulary
from nsmc.runtime.tokenizer_file import byte_letters
from tests.bundles import TOKENIZER_FILE, random_bundle


def test_only_its_own_script_and_style_may_run_and_nothing_be_loaded(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", card="</script><script>alert(1)</script>")
    done = convert_to_page(folder, None, weights="int8", language="ko")
    assert done.folder == tmp_path / "bundle.html"
    page = done.folder.read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, flags=re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [
        ' id="content" type="application/json"',
        "",
    ]
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    for text in (scripts[1][1], style):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    content = json.loads(scripts[0][1])
    assert content["language"] == "ko"
    assert content["card"] == "</script><script>alert(1)</script>"
    assert not re.search(r'(src|href)="', page)


def test_metrics_that_are_no_numbers_are_not_in_it(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle", metrics={"val/auroc": float("nan")})
    done = convert_to_page(folder, None, weights="int8", language="en")
    page = done.folder.read_text("utf-8")
    (content,) = re.findall(r'id="content" type="application/json">(.*?)</script>', page)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant}, which browsers do not read")

    json.loads(content, parse_constant=refuse)


def test_bytes_are_written_as_the_vocabulary_has_them() -> None:
    letters = byte_letters()
    assert len({*letters}) == 256
    vocabulary = read_vocabulary(TOKENIZER_FILE)
    assert all(letter in vocabulary for letter in letters)
    assert (letters[ord("A")], letters[ord(" ")], letters[ord("\n")]) == ("A", "Ġ", "Ċ")


def test_what_cannot_be_a_page_is_said(tmp_path: Path) -> None:
    folder = random_bundle(tmp_path / "bundle")
    with pytest.raises(ValueError, match=r"out: a page is a file; end its name in \.html"):
        convert_to_page(folder, tmp_path / "out", weights="int8", language="en")
    large = random_bundle(tmp_path / "large", scale=40_000.0)
    with pytest.raises(ValueError, match=r"weights up to .* do not fit into float16"):
        convert_to_page(large, None, weights="float16", language="en")
    assert not (tmp_path / "large.html").exists()
