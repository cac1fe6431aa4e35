"""The test vectors tell wrong clients from right ones, for every bundle that they are wrong for."""

import json
import random
import sys
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nsmc.conversion.convert import sample_texts
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.runtime.bundle import write_tokenizer
from nsmc.runtime.loading import read_tokenizer, read_vocabulary
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.probes import LONE_SURROGATES, PROBES, probes
from tests.bundles import config_of
from tests.hostile import PAIRS, PARTS
from tests.runtime.wrong_clients import SPACE, WRONG, Encode, pattern, right

VOCABULARIES = ("package's", "hostile", "hostile nfkc", "hostile none", "tiny")

# What was found by hand to pass all of the first vectors, and what the description warns of.
ALWAYS = (
    *("the longest token", "merges from left to right", "no merges", "no max_length"),
    *("the last max_length ids", "one id less", "the first max_length characters", "whole words"),
    *("JavaScript's trim", "Python's strip", "ASCII alone is stripped", "nothing is stripped"),
    *("no contractions", "no Unicode form", "NFD", "NFKC", "lower case", "no pattern"),
    *("ASCII letters", "no lookahead", "no space in words", "a space before the text"),
    *("<pad> is special", "bytes by their number", "halves of pairs", "U+FEFF is left out"),
    *("a text ends at U+0000", "lone surrogates are U+FFFD", "lone surrogates are left out"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A `tokenizer.json` for each vocabulary."""
    folder = tmp_path_factory.mktemp("vocabularies")
    made = {"package's": PRETRAINED / "tokenizer.json"}
    texts = [*(pair * 2 for pair in PAIRS), *(f"it'{word}" for word in ("so", "tin", "SO", "real"))]
    for name in VOCABULARIES[1:]:
        normalization = name.partition(" ")[2] or "nfc"
        size = 300 if name == "tiny" else 4_000
        tokenizer = train_tokenizer(
            texts * 2, vocab_size=size, min_frequency=2, normalization=normalization
        )
        (folder / name).mkdir()
        save_tokenizer(tokenizer, folder / name / "trained.json")
        write_tokenizer(folder / name, config_of(), folder / name / "trained.json")
        made[name] = folder / name / "tokenizer.json"
    return made


@cache
def content_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def texts_of(path: Path) -> list[str]:
    """Those of the vectors."""
    most = content_of(path)["truncation"]["max_length"]
    found = probes(read_tokenizer(path), read_vocabulary(path), most)
    return [*(probe.text for probe in found), *LONE_SURROGATES]


@cache
def reference_of(path: Path) -> Encode:
    """The right ids, which many clients are compared with."""
    return cache(right(content_of(path)))


def differ(first: Encode, second: Encode, texts: list[str]) -> bool:
    return any(first(text) != second(text) for text in texts)


@cache
def other_texts() -> list[str]:
    """Reviews and hostile texts that are no vectors."""
    draw = random.Random(0)
    hostile = ["".join(draw.choices(PARTS, k=draw.randrange(1, 12))) for _ in range(600)]
    return [*sample_texts()[:150], *hostile]


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize("name", WRONG)
def test_a_client_that_is_wrong_on_other_texts_is_wrong_on_the_vectors(
    name: str, vocabulary: str, files: dict[str, Path]
) -> None:
    path = files[vocabulary]
    content = content_of(path)
    wrong, reference = WRONG[name](content), reference_of(path)
    found = differ(wrong, reference, texts_of(path))
    if not found:
        assert not differ(wrong, reference, other_texts()), f"{name} is not told apart"
    if vocabulary == "package's" and name in ALWAYS:
        assert found


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_a_right_client_is_right(vocabulary: str, files: dict[str, Path]) -> None:
    content = content_of(files[vocabulary])
    assert not differ(pattern()(content), right(content), [*texts_of(files[vocabulary]), *PAIRS])


def test_nfc_may_be_taken_before_or_behind_the_strip() -> None:
    """It makes no white space of anything else, and nothing else of white space."""
    spaces = {chr(code) for code in (*range(9, 14), 32, 0x85, 0xA0, 0x1680, 0x2028, 0x2029)}
    spaces |= {chr(code) for code in (*range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)}
    assert len(spaces) == 25 and SPACE.count("x{") == 10
    for code in range(sys.maxunicode + 1):
        form = unicodedata.normalize("NFC", chr(code))
        assert (form in spaces) == (chr(code) in spaces)
        assert form in spaces or not spaces & {*form}


def test_the_texts_are_the_same_each_time_and_begin_with_those_of_before(
    files: dict[str, Path],
) -> None:
    for path in files.values():
        most = content_of(path)["truncation"]["max_length"]
        again = probes(read_tokenizer(path), read_vocabulary(path), most)
        assert [probe.text for probe in again] + [*LONE_SURROGATES] == texts_of(path)
        assert [probe.text for probe in again[: len(PROBES)]] == [*PROBES]
        assert all(probe.about for probe in again)


@pytest.mark.parametrize("max_length", [1, 2, 3, 9, 1_000])
def test_one_text_is_longer_than_any_limit(max_length: int, files: dict[str, Path]) -> None:
    tokenizer = read_tokenizer(files["tiny"])
    *_, last = probes(tokenizer, read_vocabulary(files["tiny"]), max_length)
    assert len(tokenizer.encode(last.text)) > max_length
    assert last.about.startswith("the first max_length ids")


def test_of_a_high_limit_no_text_is_read_again_and_again(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, read = read_tokenizer(files["tiny"]), list[int]()
    encode = tokenizer.encode

    def counting(text: str) -> list[int]:
        read.append(len(text))
        return encode(text)

    monkeypatch.setattr(tokenizer, "encode", counting)
    *_, last = probes(tokenizer, read_vocabulary(files["tiny"]), 4_096)
    assert sum(read) < 50 * len(last.text)
