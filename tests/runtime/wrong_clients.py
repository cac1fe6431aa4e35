"""Clients that get something wrong: from the content of a `tokenizer.json` and a text to ids."""

import copy
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from tokenizers import Tokenizer

from nsmc.runtime.probes import _leftmost, _longest_match
from nsmc.runtime.tokenizer_file import byte_letters

Content = dict[str, Any]  # of tokenizer.json
Encode = Callable[[str], list[int]]
Client = Callable[[Content], Encode]

SPACE = r"\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
JAVASCRIPT_SPACE = SPACE.replace(r"\x{85}", "") + r"\x{feff}"


def sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def library(content: Content) -> Encode:
    """The ids of all of a text."""
    values = {**content, "truncation": None}
    tokenizer = Tokenizer.from_str(json.dumps(values))
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def right(content: Content) -> Encode:
    encode, most = library(content), content["truncation"]["max_length"]
    return lambda text: encode(sound(text))[:most]


def cut(encode: Encode, content: Content) -> Encode:
    most = content["truncation"]["max_length"]
    return lambda text: encode(sound(text))[:most]


def changed(change: Callable[[Content], None]) -> Client:
    """A right client of another file."""

    def client(content: Content) -> Encode:
        other = copy.deepcopy(content)
        change(other)
        return cut(library(other), content)

    return client


def steps(*types: str | Content) -> Client:
    """Other normalizers."""
    normalizers = [{"type": each} if isinstance(each, str) else each for each in types]

    def change(content: Content) -> None:
        content["normalizer"] = {"type": "Sequence", "normalizers": normalizers}

    return changed(change)


STRIP: Content = {"type": "Strip", "strip_left": True, "strip_right": True}


def stripping(strip: Callable[[str], str]) -> Client:
    """Another idea of white space at the ends."""

    def client(content: Content) -> Encode:
        other = copy.deepcopy(content)
        assert other["normalizer"]["normalizers"].pop() == STRIP
        normalizer = Tokenizer.from_str(json.dumps(other)).normalizer
        encode = library({**other, "normalizer": None})
        return cut(lambda text: encode(strip(normalizer.normalize_str(text))), content)

    return client


def javascript_trim(text: str) -> str:
    return text.strip("\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + HARD_SPACES)


HARD_SPACES = "".join(map(chr, range(0x2000, 0x200B)))


def pattern(
    *,
    contractions: str = "'s|'t|'re|'ve|'m|'ll|'d|",
    letter: str = r"\p{L}",
    number: str = r"\p{N}",
    space: str = SPACE,
    last: str = "(?![^SPACE])",
    before: str = " ?",
) -> Client:
    """Another pattern of words; without arguments it is the right one."""
    behind = last.replace("SPACE", space)
    # Classes within a class, as both may stand in brackets of their own.
    regex = (
        f"{contractions}{before}[{letter}]+|{before}[{number}]+|{before}[^{space}{letter}{number}]+"
        f"|[{space}]+{behind}|[{space}]+"
    )

    def change(content: Content) -> None:
        words = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated"}
        content["pre_tokenizer"] = {
            "type": "Sequence",
            "pretokenizers": [
                {**words, "invert": False},
                {**content["pre_tokenizer"], "use_regex": False},
            ],
        }

    return changed(change)


def byte_level(**settings: bool) -> Client:
    return changed(lambda content: content["pre_tokenizer"].update(settings))


def merging(ids_of: Callable[[Mapping[str, int], str], list[int]]) -> Client:
    """Another way from a word to its tokens."""

    def client(content: Content) -> Encode:
        tokenizer = Tokenizer.from_str(json.dumps(content))
        vocabulary: dict[str, int] = content["model"]["vocab"]
        bytes_of = {letter: byte for byte, letter in enumerate(byte_letters())}

        def encode(text: str) -> list[int]:
            normal = tokenizer.normalizer.normalize_str(text)
            words = tokenizer.pre_tokenizer.pre_tokenize_str(normal)
            raw = (bytes(bytes_of[letter] for letter in word) for word, _ in words)
            return [id_ for word in raw for id_ in ids_of(vocabulary, word.decode())]

        return cut(encode, content)

    return client


def bytes_alone(vocabulary: Mapping[str, int], word: str) -> list[int]:
    return [vocabulary[byte_letters()[byte]] for byte in word.encode()]


def latin_1(content: Content) -> None:
    """Each byte is looked up as the character with its number, and else left out."""
    letters, vocabulary = byte_letters(), content["model"]["vocab"]
    for letter in [letter for byte, letter in enumerate(letters) if letter != chr(byte)]:
        old = vocabulary.pop(letter)
        vocabulary[chr(0xE000 + old)] = old
    content["model"]["merges"] = [
        merge
        for merge in content["model"]["merges"]
        if all(part in vocabulary for part in (*merge.split(" "), merge.replace(" ", "")))
    ]


def cutting(cut_at: Callable[[list[int], int], list[int]]) -> Client:
    def client(content: Content) -> Encode:
        encode, most = library(content), content["truncation"]["max_length"]
        return lambda text: cut_at(encode(sound(text)), most)

    return client


def characters(content: Content) -> Encode:
    encode, most = library(content), content["truncation"]["max_length"]
    return lambda text: encode(sound(text)[:most])[:most]


def whole_words(content: Content) -> Encode:
    """A word that does not fit is left out."""
    tokenizer = Tokenizer.from_str(json.dumps({**content, "truncation": None}))
    most = content["truncation"]["max_length"]

    def encode(text: str) -> list[int]:
        encoding = tokenizer.encode(sound(text), add_special_tokens=False)
        end = min(most, len(encoding.ids))
        if end < len(encoding.ids) and encoding.word_ids[end - 1] == encoding.word_ids[end]:
            end = encoding.word_ids.index(encoding.word_ids[end])
        return list(encoding.ids[:end])

    return encode


def reading(read: Callable[[str], str]) -> Client:
    """Does something to a text before it is encoded."""

    def client(content: Content) -> Encode:
        encode = right(content)
        return lambda text: encode(read(text))

    return client


def special_padding(content: Content) -> Encode:
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.add_special_tokens(["<pad>"])
    return lambda text: list(tokenizer.encode(sound(text), add_special_tokens=False).ids)


def cesu_8(content: Content) -> Encode:
    """Bytes of UTF-16's halves, which is what some call UTF-8."""
    encode, vocabulary = right(content), content["model"]["vocab"]
    letters = byte_letters()

    def ids(text: str) -> list[int]:
        if not any(ord(letter) > 0xFFFF for letter in text):
            return encode(text)
        units = text.encode("utf-16-le", "surrogatepass")
        halves = "".join(chr(units[at] + 256 * units[at + 1]) for at in range(0, len(units), 2))
        return [vocabulary[letters[byte]] for byte in halves.encode("utf-8", "surrogatepass")]

    return ids


def without_surrogates(replacement: str) -> Client:
    return reading(lambda text: re.sub("[\ud800-\udfff]", replacement, text))


WRONG: dict[str, Client] = {
    # from words to tokens
    "the longest token": merging(_longest_match),
    "merges from left to right": merging(_leftmost),
    "no merges": merging(bytes_alone),
    # the limit
    "no max_length": cutting(lambda ids, most: ids),
    "the last max_length ids": cutting(lambda ids, most: ids[-most:]),
    "one id less": cutting(lambda ids, most: ids[: most - 1]),
    "the first max_length characters": characters,
    "whole words": whole_words,
    # white space at the ends
    "JavaScript's trim": stripping(javascript_trim),
    "Python's strip": stripping(str.strip),
    "ASCII alone is stripped": stripping(lambda text: text.strip("\t\n\v\f\r ")),
    "spaces alone are stripped": stripping(lambda text: text.strip(" ")),
    "the end alone is stripped": stripping(str.rstrip),
    "nothing is stripped": stripping(lambda text: text),
    # the Unicode form
    "no Unicode form": steps(STRIP),
    "NFD": steps("NFD", STRIP),
    "NFC": steps("NFC", STRIP),
    "NFKC": steps("NFKC", STRIP),
    "NFKD": steps("NFKD", STRIP),
    "NFKC behind the strip": steps(STRIP, "NFKC"),
    "lower case": steps("NFC", STRIP, "Lowercase"),
    "Hangul alone is composed": reading(
        lambda text: "".join(
            part if re.match("[\u1100-\u11ff]", part) else unicodedata.normalize("NFD", part)
            for part in re.split("([\u1100-\u11ff]+)", text)
        )
    ),
    # the pattern
    "no contractions": pattern(contractions=""),
    "contractions of any case": pattern(contractions="(?i:'s|'t|'re|'ve|'m|'ll|'d)|"),
    "ASCII letters": pattern(letter="A-Za-z"),
    "marks are letters": pattern(letter=r"\p{L}\p{M}"),
    "ASCII digits": pattern(number="0-9"),
    "decimal digits": pattern(number=r"\p{Nd}"),
    "JavaScript's white space": pattern(space=JAVASCRIPT_SPACE),
    "ASCII white space": pattern(space=r"\t-\r "),
    "no lookahead": pattern(last=""),
    "no space in words": pattern(before=""),
    "no pattern": byte_level(use_regex=False),
    "a space before the text": byte_level(add_prefix_space=True),
    # characters
    "<pad> is special": special_padding,
    "bytes by their number": changed(latin_1),
    "halves of pairs": cesu_8,
    "a text ends at U+0000": reading(lambda text: text.partition("\0")[0]),
    "control characters are left out": reading(lambda text: re.sub("[\0-\x08\x0e-\x1f]", "", text)),
    "U+FEFF is left out": reading(lambda text: text.removeprefix("\ufeff")),
    "ends of lines are one": reading(lambda text: re.sub("\r\n?", "\n", text)),
    "white space is one space": reading(lambda text: re.sub(r"\s+", " ", text)),
    "lone surrogates are U+FFFD": without_surrogates("\ufffd"),
    "lone surrogates are left out": without_surrogates(""),
}
