"""The crate in `rust/` beside the predictor: the same ids, logits, lines and exit codes.

Its programs lie in the folder that NSMC_RUST names; `make rust-test` builds them.
"""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsmc.data.corpus import read_reviews
from nsmc.data.tokenizer import NORMALIZERS, save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import DTYPES, POOLINGS, TOKENIZER_FILE, rewrite_config
from nsmc.runtime.encoders import ENCODERS
from nsmc.runtime.golden import PROBES
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.packing import Array
from nsmc.runtime.predictor import Predictor
from tests.bundles import config_of, random_bundle, random_tensors, write_bundle
from tests.given import folder_given

PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "nsmc" / "data" / "sample" / "ratings_train.txt"
CORPUS = folder_given("NSMC_ROOT") / "ratings_test.txt"
PROGRAMS = folder_given("NSMC_RUST")
VECTORS, CANDLE = PROGRAMS / "examples" / "vectors", PROGRAMS / "examples" / "candle"
CLASSIFY = PROGRAMS / "nsmc-classify"

TOLERANCE = 1e-5
REVIEWS = 5_000
HOSTILE_TEXTS = 20_000

pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="NSMC_RUST names no programs")


def vectors(folder: Path, texts: Sequence[str]) -> tuple[list[list[int]], Array]:
    """The ids of each text, and the logits [N, C], of the crate."""
    return answers([str(VECTORS)], [str(folder), *texts])


def candle_vectors(folder: Path, texts: Sequence[str]) -> tuple[list[list[int]], Array]:
    """The same of the program on candle."""
    return answers([str(CANDLE), str(folder), "--vectors"], texts)


def answers(command: Sequence[str], lines: Sequence[str]) -> tuple[list[list[int]], Array]:
    content = "".join(f"{json.dumps(line)}\n" for line in lines)
    done = subprocess.run(command, input=content, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    pairs = [json.loads(line) for line in done.stdout.splitlines()]
    return [ids for ids, _ in pairs], np.array([logits for _, logits in pairs], np.float32)


def assert_same(
    folder: Path, texts: Sequence[str], ask: Callable[[Path, Sequence[str]], Any] = vectors
) -> None:
    predictor = Predictor.load(folder)
    expected = predictor.encode(texts)
    ids, logits = ask(folder, texts)
    assert len(ids) == len(texts)
    different = [
        text for text, ours, theirs in zip(texts, expected, ids, strict=True) if ours != theirs
    ]
    assert not different, different[:3]
    np.testing.assert_allclose(logits, predictor.logits(expected), rtol=0, atol=TOLERANCE)


def shapes() -> list[tuple[str, str, bool, int]]:
    """Of each architecture every pooling; of a recurrent one, directions and layers, too."""
    every = product(sorted(ENCODERS), POOLINGS, (False, True), (1, 2))
    return [shape for shape in every if shape[0] != "cnn" or shape[2:] == (False, 1)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("architecture", "pooling", "bidirectional", "num_layers"), shapes())
def test_bundles_of_every_shape(
    architecture: str,
    pooling: str,
    bidirectional: bool,
    num_layers: int,
    dtype: str,
    tmp_path: Path,
) -> None:
    texts = [*PROBES, *read_reviews(SAMPLE).texts[:150], "", " ", "끝없는" * 60]
    for labels, hidden_size in ((("negative", "positive"), 7), (tuple("abcde"), 32)):
        bundle = random_bundle(
            tmp_path / f"bundle{len(labels)}",
            architecture=architecture,
            pooling=pooling,
            bidirectional=bidirectional,
            num_layers=num_layers,
            hidden_size=hidden_size,
            filter_widths=[1, 3, 4],
            labels=labels,
            dtype=dtype,
            scale=0.3,  # larger weights make rounding grow with each token, in either program
        )
        assert_same(bundle, texts)


@pytest.mark.parametrize("labels", [("negative", "positive"), ("a", "b", "c")])
def test_the_temperature_is_in_the_probabilities(tmp_path: Path, labels: tuple[str, ...]) -> None:
    confidence: dict[str, Any] = {
        **{"temperature": 2.5, "reviews": 100, "unsure_below": None, "coverage": []},
        **{"calibration_error_before": 0.1, "calibration_error": 0.1},
    }
    bundle = random_bundle(tmp_path / "bundle", labels=labels, confidence=confidence, scale=2.0)
    python, rust = outputs(bundle, ["최고", "별로", "good movie"])
    assert rust == python
    plain = outputs(random_bundle(tmp_path / "plain", labels=labels, scale=2.0), ["최고"])
    assert plain[1][0] != rust[0].splitlines(keepends=True)[0]


def test_large_weights_saturate_alike(tmp_path: Path) -> None:
    for architecture in sorted(ENCODERS):
        bundle = random_bundle(tmp_path / architecture, architecture=architecture, scale=30)
        predictor, texts = Predictor.load(bundle), list(PROBES)
        _, logits = vectors(bundle, texts)
        np.testing.assert_allclose(logits, predictor.logits(predictor.encode(texts)), rtol=2e-5)


def hostile_texts(count: int) -> list[str]:
    """Mixtures of scripts, forms, spaces, controls and characters that no release knows."""
    chance = random.Random(0)
    ranges = [(0x20, 0x7E), (0, 0x1F), (0x80, 0xFF), (0x300, 0x36F), (0x1100, 0x11FF)]
    ranges += [(0x3131, 0x318E), (0xAC00, 0xD7A3), (0x2000, 0x206F), (0x3000, 0x30FF)]
    ranges += [(0xFF01, 0xFFEF), (0x1F300, 0x1FAFF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF)]
    ranges += [(0x600, 0x6FF), (0x900, 0x97F), (0xE000, 0xE0FF), (0x100, 0xD7FF)]
    ranges += [(0x10000, 0x10FFFF), (0x2F800, 0x2FA1F), (0xFE00, 0xFE0F), (0x1AB0, 0x1AFF)]
    words = [
        "'s",
        "'ll",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u3000",
        "<pad>",
        "ㅋㅋㅋ",
        "10",
        "\ufeff",
    ]
    words += ["\u200d", "é", "e\u0301", "영화", "영화", "👍🏽", "...", "Ġ", "\x85", "\u2028"]

    def part() -> str:
        if chance.random() < 0.3:
            return chance.choice(words)
        low, high = chance.choice(ranges)
        return "".join(chr(chance.randint(low, high)) for _ in range(chance.randint(1, 4)))

    return ["".join(part() for _ in range(chance.randint(0, 14))) for _ in range(count)]


@pytest.mark.parametrize("normalization", NORMALIZERS)
def test_hostile_texts_get_the_same_ids(normalization: str, tmp_path: Path) -> None:
    reviews = read_reviews(SAMPLE).texts
    tokenizer = train_tokenizer(
        reviews, vocab_size=3000, min_frequency=2, normalization=normalization
    )
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    config = config_of(vocab_size=tokenizer.get_vocab_size(), hidden_size=4, embedding_dim=3)
    bundle = tmp_path / "bundle"
    write_bundle(bundle, config, random_tensors(config), tmp_path / "tokenizer.json")
    assert_same(bundle, hostile_texts(HOSTILE_TEXTS))


def test_a_tokenizer_that_puts_a_space_before_the_first_word(tmp_path: Path) -> None:
    bundle = random_bundle(tmp_path / "bundle")
    path = bundle / TOKENIZER_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    content["pre_tokenizer"]["add_prefix_space"] = True
    path.write_text(json.dumps(content), encoding="utf-8")
    rewrite_config(bundle, config_of(), "")
    assert_same(bundle, [*PROBES, *hostile_texts(2_000), "영화 " * 300])
    path.write_text(json.dumps(content | {"normalizer": None}), encoding="utf-8")
    rewrite_config(bundle, config_of(), "")
    assert_same(bundle, [*PROBES, *hostile_texts(2_000), "", " ", "\n", "  좋다", "영화 " * 300])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda vocab: vocab.update({"!": vocab["a"]}), "two tokens have id"),
        (lambda vocab: vocab.update(zzz=vocab.pop("\u0143")), "1 bytes have no token"),
        (
            lambda vocab: vocab.update({"영화": vocab.pop("\u0143")}),
            "is not written in byte-level characters",
        ),
    ],
)
def test_vocabularies_that_programs_read_differently_are_refused_by_both(
    change: Callable[[dict[str, int]], None], cause: str, tmp_path: Path
) -> None:
    bundle = random_bundle(tmp_path / "bundle")
    path = bundle / TOKENIZER_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["model"]["vocab"])
    path.write_text(json.dumps(content), encoding="utf-8")
    rewrite_config(bundle, config_of(), "")
    commands = (
        [sys.executable, "-m", "nsmc.cli", "predict", str(bundle)],
        [str(CLASSIFY), "--bundle", str(bundle)],
    )
    lines = []
    for command in commands:
        done = subprocess.run([*command, "좋다"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 1 and cause in done.stderr
        lines.append(done.stderr.partition("error: ")[2])
    assert lines[0] == lines[1]


def test_real_reviews() -> None:
    """Those of the corpus where it is there, else the sample's."""
    source = CORPUS if CORPUS.is_file() else SAMPLE
    assert_same(PRETRAINED, read_reviews(source).texts[:REVIEWS])


# --- the example on candle ---


def test_candle_answers_alike_with_a_gru_in_float16() -> None:
    texts = [*PROBES, *read_reviews(SAMPLE).texts[:150], "", " ", "끝없는" * 300]
    assert Predictor.load(PRETRAINED).config.dtype == "float16"
    assert_same(PRETRAINED, texts, candle_vectors)


def test_candle_answers_alike_with_an_lstm_in_float32(tmp_path: Path) -> None:
    labels = ("bad", "so so", "good")
    bundle = random_bundle(tmp_path / "bundle", architecture="lstm", hidden_size=33, labels=labels)
    texts = [*PROBES, *read_reviews(SAMPLE).texts[:150], "", " ", "끝없는" * 60]
    assert_same(bundle, texts, candle_vectors)


def test_candle_s_program_leaves_at_q_and_asks_again_for_an_empty_line() -> None:
    predictor = Predictor.load(PRETRAINED)
    for content, count in (("좋다\n\n \n별로\nq\n또\n", 2), ("좋다", 1), ("quit\n", 0), ("", 0)):
        command = [str(CANDLE), str(PRETRAINED)]
        done = subprocess.run(command, input=content.encode(), capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.decode().splitlines()
        expected = predictor(["좋다", "별로"][:count])
        assert lines == [f"{each.label}\t{each.probability:.4f}" for each in expected]


def test_candle_s_program_refuses_what_it_does_not_read(tmp_path: Path) -> None:
    wrong: list[dict[str, Any]]
    wrong = [{"pooling": "mean"}, {"num_layers": 2}, {"bidirectional": True}]
    for changes in wrong:
        bundle = random_bundle(tmp_path / "bundle", **changes)
        done = subprocess.run([CANDLE, bundle], input=b"a\n", capture_output=True, timeout=60)
        assert done.returncode == 1 and b"one layer, one direction" in done.stderr


# --- the command ---


def outputs(
    bundle: Path, words: Sequence[str] = (), content: bytes | None = None
) -> list[tuple[bytes, int]]:
    """What `nsmc predict` and the executable print, and their exit codes."""
    commands = (
        [sys.executable, "-m", "nsmc.cli", "predict", str(bundle)],
        [str(CLASSIFY), "--bundle", str(bundle)],
    )
    finished = [
        subprocess.run([*command, *words], input=content, capture_output=True, timeout=300)
        for command in commands
    ]
    return [(done.stdout, done.returncode) for done in finished]


def test_the_command_prints_the_same_lines_for_texts() -> None:
    texts = ["와 진짜 재밌는 영화임미다!!", "  ", "-_-", "--;;", "a\tb\x1b[2J\u202e", "가나" * 300]
    python, rust = outputs(PRETRAINED, texts)
    assert rust == python
    assert rust[1] == 0 and len(rust[0].splitlines()) == len(texts)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("\n".join(PROBES).encode(), 0),
        (b"\xef\xbb\xbfone\r\n\r\ntwo\n\n three", 0),
        (b"one\rtwo\rthree", 0),
        ("좋다\n".encode() * 30 + b"\xff\xfe\xfa\n", 0),
        (b"good\n\xff\n", 1),
        (b"\n" * 5, 0),
        (b"a" * (1 << 20) + b"\nshort\n" + b"b" * ((1 << 20) - 1) + b"\n", 1),
        (b"PK\x03\x04", 1),
        (b"a\0b\nc\n", 1),
        (b"", 0),
    ],
)
def test_the_command_prints_the_same_lines_for_a_pipe(content: bytes, code: int) -> None:
    python, rust = outputs(PRETRAINED, content=content)
    assert rust == python
    assert rust[1] == code


def test_a_packed_program_answers_as_the_bundle_does(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    subprocess.run([CLASSIFY, "pack", PRETRAINED, "-o", packed], check=True, capture_output=True)
    texts = list(PROBES[:5])
    done = subprocess.run([packed, *texts], check=True, capture_output=True)
    assert done.stdout == outputs(PRETRAINED, texts)[0][0]
