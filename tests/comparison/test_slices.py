"""Which reviews the built-in slices hold."""

import pytest

from nsmc.comparison.slices import SLICES, members, slices_of

LENGTHS = {name for name in SLICES if "characters" in name}


def of(text: str) -> set[str]:
    (bits,) = slices_of([text])
    return {name for number, name in enumerate(SLICES) if bits >> number & 1}


@pytest.mark.parametrize(
    ("text", "slices"),
    [
        ("안 봤어요", {"negation"}),
        ("재미없다", {"negation"}),
        ("보지 마세요", {"negation"}),
        ("이건 영화가 아니다", {"negation"}),
        ("못했다 연기", {"negation"}),
        ("안녕하세요 안내원 최고", set[str]()),
        ("ㅋㅋㅋ", {"ㅋㅋ, ㅎㅎ"}),
        ("ㅋ", set[str]()),
        ("슬퍼요ㅠㅜ", {"ㅠㅠ, ㅜㅜ"}),
        ("왜 봤지?", {"question"}),
        ("정말정말재미있는영화였어요", {"spaces missing"}),
        ("정말 정말 재미있는 영화였어요", set[str]()),
        ("", set[str]()),
    ],
)
def test_a_review_is_in_the_slices_that_it_looks_like(text: str, slices: set[str]) -> None:
    assert of(text) - LENGTHS == slices


@pytest.mark.parametrize(
    "text", ["", "가", "가" * 15, "가" * 16, "가\n" * 25, "가" * 51, "a b " * 99]
)
def test_every_review_has_one_length_without_the_space_around_it(text: str) -> None:
    (length,) = of(f" \n{text}\t ") & LENGTHS
    count = len(text.strip())
    expected = 0 if count <= 15 else 1 if count <= 50 else 2
    assert length == [name for name in SLICES if name in LENGTHS][expected]


def test_members_are_told_by_the_bit() -> None:
    number = SLICES.index("question")
    assert members(slices_of(["왜?", "응", "뭐？"]), number).tolist() == [True, False, True]
