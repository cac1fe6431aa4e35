"""The page answers as Python does: in Node for every architecture, in Chromium as it is shown."""

import json
import os
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.conversion.convert import convert_to_page
from nsmc.conversion.page import in_letters, page_of
from nsmc.data.corpus import NSMC, read_reviews
from nsmc.runtime.bundle import POOLINGS
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.explanation import explain
from nsmc.runtime.golden import PROBES
from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.predictor import Predictor
from tests.bundles import (
    TOKENIZER_FILE,
    config_of,
    random_bundle,
    random_tensors,
    write_bundle,
)
from tests.given import folder_given

HERE = Path(__file__).parent
NODE = shutil.which("node")
BROWSER = os.environ.get("NSMC_BROWSER", "")
REAL = folder_given("NSMC_ROOT") / "ratings_test.txt"
SAMPLE = HERE.parents[1] / "nsmc" / "data" / "sample" / "ratings_train.txt"

pytestmark = pytest.mark.skipif(not (NODE and BROWSER), reason="needs Node and NSMC_BROWSER")

HARD = [
    *(*PROBES, "", " ", "\n\t ", "\u3000", "\ufeff 앞", "\x85뒤\x85", "a\u00a0b", "<pad>"),
    *(
        "it's we'll I'M don't 'tis",
        "a  b   c \n\n d",
        "1234 ½ ⅷ ٣",
        "e\u0301",
        "\ud800 \udfff",
        "ＡＢＣ",
    ),
    *("ㅋ" * 300, "최고 " * 300, "😍👍🏽👨‍👩‍👧", "İI ŞΣς", "\u0000\u0007", "क्षि ไทย עברית"),
]


def asked(program: str, request: object) -> Any:
    finished = subprocess.run(
        [str(NODE), str(HERE / program)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def reviews(count: int) -> list[str]:
    """Real ones where they are, else those of the sample."""
    path = REAL if REAL.is_file() else SAMPLE
    return [*read_reviews(path, NSMC).texts[:count]]


def compared(folder: Path, page: Path, weights: str, texts: list[str]) -> float:
    """Whether ids, probabilities and traces are Python's; the share of equal labels."""
    found = asked("answers.cjs", {"page": str(page), "texts": texts})
    assert found["problem"] == ""
    bundle = read_bundle(folder)
    _, predictor = page_of(folder, bundle, weights=weights, language="en")
    answers = found["answers"]
    assert [answer["ids"] for answer in answers] == predictor.encode(texts)
    probabilities = [answer["probabilities"] for answer in answers]
    np.testing.assert_allclose(probabilities, predictor.probabilities(texts), atol=2e-5)
    for text, answer in zip(texts[:60], answers, strict=False):
        expected = explain(predictor, text)
        label = bundle.config.labels.index(expected.label)
        of_label = [row[label] for row in answer["trace"]]
        np.testing.assert_allclose(of_label, [expected.start, *expected.trace], atol=2e-5)
    labels = [answer.label for answer in Predictor(bundle)(texts)]
    equal = [answer["label"] == label for answer, label in zip(answers, labels, strict=True)]
    return float(np.mean(equal))


@pytest.mark.parametrize(
    ("architecture", "pooling", "bidirectional"),
    list(product(sorted(ENCODERS), POOLINGS, (False, True))),
)
def test_every_architecture_is_computed_as_python_computes_it(
    tmp_path: Path, architecture: str, pooling: str, bidirectional: bool
) -> None:
    folder = random_bundle(
        tmp_path / "bundle",
        architecture=architecture,
        pooling=pooling,
        bidirectional=bidirectional,
        num_layers=2,
        labels=("a", "b", "c"),
        hidden_size=9,
    )
    for weights in ("int8", "float16"):
        page = tmp_path / f"{weights}.html"
        convert_to_page(folder, page, weights=weights, language="en")
        compared(folder, page, weights, HARD)


def test_5000_real_reviews_have_the_same_ids_and_nearly_all_the_same_labels(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = convert_to_page(PRETRAINED, page, weights="int8", language="auto")
    assert done.bytes_after == page.stat().st_size < 1.8e6
    assert compared(PRETRAINED, page, "int8", [*HARD, *reviews(5_000)]) >= 0.998


@pytest.mark.parametrize("architecture", sorted(ENCODERS))
def test_sizes_that_are_no_multiple_of_anything_are_computed(
    tmp_path: Path, architecture: str
) -> None:
    for size, layers, widths in ((1, 1, [1]), (8, 3, [1, 5]), (17, 1, [2, 3, 4])):
        folder = random_bundle(
            tmp_path / f"{size}",
            architecture=architecture,
            hidden_size=size,
            embedding_dim=size + 2,
            num_layers=layers,
            filter_widths=widths,
            num_filters=size,
            max_length=6,
        )
        page = tmp_path / f"{size}.html"
        convert_to_page(folder, page, weights="float16", language="en")
        compared(folder, page, "float16", HARD)


def test_ids_in_any_order_are_kept(tmp_path: Path) -> None:
    """A tokenizer of another library has no ids that the page could count."""
    content = json.loads(TOKENIZER_FILE.read_text("utf-8"))
    vocabulary = content["model"]["vocab"]
    others = sorted((token for token in vocabulary if vocabulary[token]), reverse=True)
    vocabulary |= {token: number for number, token in enumerate(others, start=1)}
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    config = config_of()
    write_bundle(tmp_path / "bundle", config, random_tensors(config), file)
    page = tmp_path / "page.html"
    convert_to_page(tmp_path / "bundle", page, weights="int8", language="en")
    compared(tmp_path / "bundle", page, "int8", [*HARD, "정말 최고의 movie"])


def test_bytes_of_any_number_are_found_again_in_letters() -> None:
    contents = [bytes(range(size, 3 * size)) for size in range(60)] + [b"\xff" * 29, b"\0" * 29]
    request = [[in_letters(content), len(content)] for content in contents]
    found = asked("letters.cjs", request)
    assert found == [[*content] for content in contents]


def test_a_page_that_computes_something_else_says_so(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    convert_to_page(PRETRAINED, page, weights="int8", language="en")
    content = page.read_text("utf-8")
    for before, after in (('"max_length":128', '"max_length":3'), ('"type":"NFC"', '"type":"NFD"')):
        assert before in content
        page.write_text(content.replace(before, after), encoding="utf-8")
        assert asked("answers.cjs", {"page": str(page), "texts": []})["problem"] != ""
    found = in_chromium(page, [], tmp_path, ["최고"])
    assert found["state"] == "broken"


def in_chromium(
    page: Path,
    texts: list[str],
    folder: Path,
    lines: list[str],
    *,
    locale: str = "en-US",
    long: str = "",
) -> Any:
    file = folder / "reviews.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    request = {
        **{"page": str(page), "browser": BROWSER, "texts": texts, "file": str(file)},
        **{"locale": locale, "long": long},
    }
    return asked("browser.mjs", request)


def test_in_a_browser_answers_are_shown_and_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    convert_to_page(PRETRAINED, page, weights="int8", language="auto")
    texts = ["스토리는 별로인데 배우 연기가 정말 좋아서", '<b>최악</b> "ㅋㅋ"', " "]
    lines = [" ".join(text.split()) for text in reviews(1_000)]
    found = in_chromium(page, texts, tmp_path, lines, locale="ko-KR")
    assert (found["state"], found["language"], found["errors"]) == ("ready", "ko", [])
    assert found["unnamed"] == 0
    assert all(url.startswith(("file:", "blob:")) for url in found["requests"])
    _, predictor = page_of(PRETRAINED, read_bundle(PRETRAINED), weights="int8", language="auto")
    first, second, third = found["shown"]
    answers = predictor(texts)
    for shown, answer, text in zip((first, second), answers, texts, strict=False):
        name = {"positive": "긍정", "negative": "부정"}[answer.label]
        assert shown["answer"].startswith(f"{name}{100 * answer.probability:.1f} %")
        assert shown["words"] == text.split()
    assert third == {"answer": "", "words": []}
    header, *rows = [line.split("\t") for line in found["answers"].splitlines()]
    assert header == ["label", "probability", "unsure", "document"]
    assert [row[3] for row in rows] == lines
    for row, answer in zip(rows, predictor(lines), strict=True):
        assert float(row[1]) == pytest.approx(answer.probability, abs=2e-5)
        assert row[0] == answer.label or answer.probability < 0.5001


def test_pages_of_any_size_open_in_a_browser(tmp_path: Path) -> None:
    for size in (5, 6, 7):
        folder = random_bundle(
            tmp_path / f"{size}", hidden_size=size, bidirectional=True, labels=("a", "b", "<b>")
        )
        page = tmp_path / f"{size}.html"
        convert_to_page(folder, page, weights="float16", language="ko")
        found = in_chromium(page, ["정말 최고"], tmp_path, ["최고"])
        assert (found["state"], found["language"], found["errors"]) == ("ready", "ko", [])
        assert found["shown"][0]["words"] == ["정말", "최고"]


def test_a_review_of_a_megabyte_is_answered(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    convert_to_page(PRETRAINED, page, weights="int8", language="en")
    texts = ["가" * 350_000, "최고 " * 200_000, "ㅋ1!" * 150_000]
    assert compared(PRETRAINED, page, "int8", texts) == 1


def test_a_long_review_does_not_freeze_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    convert_to_page(PRETRAINED, page, weights="int8", language="en")
    long = "가나다" * 300_000
    found = in_chromium(page, ["최고"], tmp_path, ["최고", long, "별로"], long=long)
    predictor = Predictor(read_bundle(PRETRAINED))
    assert found["errors"] == []
    assert found["typed"]["waited"] >= 3
    for shown, text in (("first", long), ("second", "최고")):
        assert found["typed"][shown].startswith(predictor([text])[0].label)
    assert found["shown"][0]["answer"] == found["typed"]["second"]
    assert len(found["answers"].splitlines()) == 4


@pytest.mark.parametrize("program", [path.name for path in sorted(HERE.glob("*.test.cjs"))])
def test_its_parts_in_node(program: str) -> None:
    finished = subprocess.run(
        [str(NODE), "--test", str(HERE / program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
