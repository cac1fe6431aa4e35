"""Whether texts are like those of a reference."""

import numpy as np

from nsmc.runtime.familiarity import (
    FAR,
    Difference,
    Profile,
    check_profile,
    differences,
)
from tests.bundles import TOKENIZER

KNOWN = ["정말 최고예요", "이 영화 정말 별로", "good movie", "영화 최고"]


def profile_of(texts: list[str], probability: float = 0.9) -> Profile:
    profile = Profile(TOKENIZER.lone_bytes)
    for text in texts:  # it adds up what comes in parts
        profile.add([TOKENIZER.encode(text)], np.array([probability]))
    return profile


def compared(first: Profile, second: Profile) -> dict[str, Difference]:
    found = differences(first.as_json(), second.as_json())
    return {each.name: each for each in found}


def test_a_byte_that_is_no_whole_letter_is_known_by_its_id() -> None:
    ids = TOKENIZER.lone_bytes
    assert len(ids) == 128
    assert {*TOKENIZER.encode("€")} <= ids  # three bytes that no merge puts together
    assert not {*TOKENIZER.encode("plain ascii!")} & ids


def test_the_same_texts_are_not_apart() -> None:
    found = compared(profile_of(KNOWN * 50), profile_of(KNOWN[::-1] * 30))
    assert all(each.distance <= 0.001 and not each.is_far for each in found.values())


def test_letters_that_are_not_known_length_and_doubt_are_each_seen() -> None:
    reference = profile_of(KNOWN * 50)
    found = compared(profile_of(["€éß¥" * 20] * 200, 0.6), reference)
    assert all(each.is_far for each in found.values())
    assert found["lone_bytes"].mean == 1.0
    assert found["probability"].mean == 0.6
    found = compared(profile_of(KNOWN * 50, 0.6), reference)
    assert [name for name, each in found.items() if each.is_far] == ["probability"]
    assert found["probability"].distance == 1.0 > FAR


def test_of_a_few_texts_chance_is_not_taken_for_a_difference() -> None:
    found = compared(profile_of(["€é"], 0.6), profile_of(KNOWN * 50))
    assert not any(each.is_far for each in found.values())


def test_a_profile_is_plain_and_checked() -> None:
    check_profile(profile_of(KNOWN).as_json())
    check_profile(Profile(TOKENIZER.lone_bytes).as_json())
