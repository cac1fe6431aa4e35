"""Texts that tell a wrong client of a bundle from a right one, each with what it is about.

Most are the same for every bundle. Some depend on its vocabulary, such as words whose merges are
not the longest tokens: they are searched for, always in the same order, and left out where the
vocabulary has none, as then such a client makes no mistake there.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import NamedTuple

from nsmc.runtime.tokenizer import BundleTokenizer
from nsmc.runtime.tokenizer_file import byte_letters


class Probe(NamedTuple):
    """A text, and what a client that gets it wrong has missed."""

    text: str
    about: str


PROBES = (
    "정말 재미있게 봤습니다. 배우들 연기가 훌륭해요!",
    "시간이 아까운 영화였다...",
    "ㅋㅋㅋㅋㅋㅋ 이게 뭐야 ㅠㅠ",
    "  앞뒤에 빈칸이 있는 리뷰  \n",
    "줄이\n바뀌고\t탭도 있는 리뷰",
    '"따옴표"로 시작하는 리뷰',
    "<pad> 는 토큰이 아니라 글자입니다",
    "e\u0301 와 \u1100\u1161: 풀어 쓴 글자",
    "Great movie!! 10/10 😍👍🏽",
    "映画は最高でした。",
    "ﾊﾝｶｸ １２３ ⅷ ㈜ ™",
    "0",
    "!?!?!?!?",
    "가" * 200,
)
_ABOUT = (
    *(
        "plain",
        "plain",
        "jamo",
        "white space at the ends",
        "white space inside",
        "a quotation mark",
    ),
    *("<pad> is no special token of a text", "the Unicode form", "letters, signs, digits, emoji"),
    *("other scripts", "compatibility characters", "one character", "signs", "a long word"),
)

# Bytes of UTF-8: control characters, those behind the first, and the first of two, three and four.
_CONTROLS = "".join(map(chr, (*range(1, 32), 127)))
_SECOND = "".join(map(chr, range(0x80, 0xC0)))
_FIRST_OF_TWO = "".join(chr(0x0A + (byte << 6)) for byte in range(3, 32))
_FIRST_OF_MORE = "ऄ\u1200\u2190あ一倀怀瀀耀退ꀀ뀀쀀퀀\ue000Ａ😀\U00040000\U000fffff\U0010fffd"

_HARD = (
    Probe("", "no text: no ids, and the logits are the bias"),
    Probe(" \t\u3000\r\n", "nothing but white space: no ids, either"),
    Probe("\ufeff처음과 끝\ufeff", "U+FEFF is no White_Space, though JavaScript's trim removes it"),
    Probe("\x85처음과 끝\x85", "U+0085 is White_Space, though JavaScript's trim leaves it"),
    Probe("\u3000\xa0\u1680처음과 끝\u2003\u2028\u202f\u205f", "White_Space beyond ASCII"),
    Probe("\x1c\x1f처음과 끝\x1f\x1c", "no White_Space, though Python's strip removes it"),
    Probe("\u200b\u180e처음과 끝\u2060\u200b", "zero width is no White_Space"),
    Probe("하나  \x1c둘 \u3000 셋   넷", "the pattern's white space"),
    Probe(
        "하나  \ufeff둘   \x85셋 가\ufeff's 가\x85's", "the same, not what JavaScript's \\s holds"
    ),
    Probe("a   b    c\n\n  d\t\te", "the last of several spaces belongs to the next word"),
    Probe("첫 줄\r\n둘째 줄\r", "the end of a line, of two characters"),
    Probe("1½ⅷ٣৪ 12½ 12① 2026년 3월", "numbers are those of Unicode, not digits alone"),
    Probe("क्षि ไทย์ עִבְרִית !?\u0327 ´\u0327 \u200b\u3099", "a mark is no letter to the pattern"),
    # Behind a letter, a number or white space "'s" is a word, and behind a sign it is none.
    Probe("가é's 가\u1100's ½'s ①'s ٣'s ½'re", "letters and numbers beyond ASCII"),
    Probe("가\u2003's 가\x1c's ① \u2003①", "white space in the pattern"),
    Probe("क्'s 가\u0327's ?'s 👍's _'s", "signs and marks in the pattern"),
    Probe(
        "\u212b \u2126 \u0958 a\u0307\u0323 \u1112\u1161\u11ab", "the Unicode form, of all kinds"
    ),
    Probe("\xa8 앞뒤 \xa8", "the Unicode form comes before the strip"),
    Probe("İSTANBUL Straße ΣΑΣ GOOD Good good", "upper and lower case"),
    Probe("앞\x00뒤", "U+0000 does not end a text"),
    Probe(_CONTROLS, "the byte table: control characters"),
    Probe(_SECOND[:32], "the byte table: 80 to 9F"),
    Probe(_SECOND[32:], "the byte table: A0 to BF"),
    Probe(_FIRST_OF_TWO, "the byte table: C3 to DF"),
    Probe(_FIRST_OF_MORE, "the byte table: E0 to F4"),
)

# Halves of surrogate pairs, which some languages' strings can hold and JSON's readers refuse.
LONE_SURROGATES = ("\ud800", "최고\udfff의 영화", "😍\ud83d 최고", "\udc00\ud800")

_CONTRACTIONS = ("s", "t", "re", "ve", "m", "ll", "d")
_LETTERS = byte_letters()

_MOST_TOKENS = 3_000  # of a vocabulary, that words are made of
_MOST_WORDS = 10_000  # that are tried
_AT_ONCE = 1_000
_WORDS = 3  # of each kind in a text

Wrong = Callable[[str], list[int]]


def probes(
    tokenizer: BundleTokenizer, vocabulary: Mapping[str, int], max_length: int
) -> list[Probe]:
    """The texts for a bundle: always those of `PROBES` first, in that order."""
    fixed = [*map(Probe, PROBES, _ABOUT), *_HARD]
    parts = list(islice(_parts(tokenizer, vocabulary), _MOST_TOKENS))
    searched = [
        Probe(
            _told_apart(tokenizer, _words(parts), lambda word: _longest_match(vocabulary, word)),
            "merges in their order, not the longest tokens",
        ),
        Probe(
            _told_apart(tokenizer, _words(parts), lambda word: _leftmost(vocabulary, word)),
            "merges in their order, not from left to right",
        ),
        Probe(_contractions(tokenizer, parts), "contractions are words of their own"),
        Probe(_no_contractions(tokenizer, parts), "contractions are of lower case alone"),
        Probe(_too_long(tokenizer, parts, max_length), "the first max_length ids, and no others"),
    ]
    return [*fixed, *(probe for probe in searched if probe.text)]


def _parts(tokenizer: BundleTokenizer, vocabulary: Mapping[str, int]) -> Iterator[str]:
    """The tokens that are letters alone and stand for themselves, by their ids."""
    byte_of = {letter: byte for byte, letter in enumerate(_LETTERS)}
    for token, id_ in sorted(vocabulary.items(), key=lambda item: item[1]):
        text = bytes(byte_of.get(letter, 0) for letter in token).decode("utf-8", "replace")
        if text.isalpha() and tokenizer.encode(text) == [id_]:
            yield text


def _words(parts: Sequence[str]) -> Iterator[str]:
    """Two or three parts in one word: first all with the next one, then all with that after it…"""
    if parts:
        several = (
            first + parts[(at + step) % len(parts)] + (parts[(at + 2 * step) % len(parts)] * odd)
            for step in range(1, len(parts) + 1)
            for odd in (0, 1)
            for at, first in enumerate(parts)
        )
        yield from islice(several, _MOST_WORDS)


def _told_apart(tokenizer: BundleTokenizer, words: Iterable[str], wrong: Wrong) -> str:
    """The first words whose ids are not those of a wrong client; "" where there are none."""
    found, rest = list[str](), iter(words)
    while len(found) < _WORDS and (batch := list(islice(rest, _AT_ONCE))):
        pairs = zip(batch, tokenizer.encode_batch(batch), strict=True)
        found += [word for word, ids in pairs if word not in found and ids != wrong(word)]
    return " ".join(found[:_WORDS])


def _letters(word: str) -> str:
    return "".join(_LETTERS[byte] for byte in word.encode())


def _longest_match(vocabulary: Mapping[str, int], word: str) -> list[int]:
    """What a client gets that always takes the longest token."""
    letters, ids, start = _letters(word), list[int](), 0
    while start < len(letters):
        ends = range(len(letters), start, -1)
        end = next((end for end in ends if letters[start:end] in vocabulary), start + 1)
        ids.append(vocabulary.get(letters[start:end], -1))
        start = end
    return ids


def _leftmost(vocabulary: Mapping[str, int], word: str) -> list[int]:
    """What a client gets that merges the first two tokens that can be, again and again."""
    tokens, at = list(_letters(word)), 0
    while at + 1 < len(tokens):
        if tokens[at] + tokens[at + 1] in vocabulary:
            tokens[at : at + 2] = [tokens[at] + tokens[at + 1]]
            at = max(at - 1, 0)
        else:
            at += 1
    return [vocabulary.get(token, -1) for token in tokens]


def _contractions(tokenizer: BundleTokenizer, parts: Sequence[str]) -> str:
    """A word for each contraction of the pattern that shows whether it is known."""

    def shows(end: str) -> bool:
        separate = [id_ for part in ("it", "'", end) for id_ in tokenizer.encode(part)]
        return tokenizer.encode(f"it'{end}") != separate

    candidates = ([end, *_beginning(parts, end)] for end in _CONTRACTIONS)
    found = [next(filter(shows, ends), "") for ends in candidates]
    return " ".join(f"it'{end}" for end in found if end)


def _no_contractions(tokenizer: BundleTokenizer, parts: Sequence[str]) -> str:
    """The same in upper case, of which the pattern has none."""

    def shows(end: str, whole: str) -> bool:
        separate = [id_ for part in (end, whole[len(end) :]) for id_ in tokenizer.encode(part)]
        return tokenizer.encode(whole) != separate

    ends = [end.upper() for end in _CONTRACTIONS]
    found = [
        next((whole for whole in _beginning(parts, end) if shows(end, whole)), "") for end in ends
    ]
    return " ".join(f"IT'{whole}" for whole in found if whole)


def _beginning(parts: Sequence[str], start: str) -> list[str]:
    return [part for part in parts if part.startswith(start) and part != start]


def _too_long(tokenizer: BundleTokenizer, parts: Sequence[str], max_length: int) -> str:
    """Words, then one of more than `max_length` tokens, which the limit cuts in its middle.

    Numbers between the words, so that no part of the text is like another.
    """
    chosen = [part for part in parts if len(part) > 1] or [*parts] or ["ab"]

    def beginning(size: int) -> str:
        return "".join(f"{chosen[at % len(chosen)]}{at} " for at in range(size))

    def is_too_long(size: int) -> bool:
        return len(tokenizer.encode(beginning(size))) > max_length - 3

    # Not all beginnings one after the other: a limit of 65,536 tokens would take minutes.
    size = bisect_left(range(1, max_length + 1), True, key=is_too_long)
    text = beginning(size)
    word_at = (chosen[at % len(chosen)] for at in count(size + 1))
    word = ""
    while len(tokenizer.encode(word)) <= max_length:
        word += "".join(islice(word_at, max_length))
    return text + word
