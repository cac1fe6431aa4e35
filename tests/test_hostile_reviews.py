"""The files of the attacks that are made by hand, and a few of the random ones."""

from pathlib import Path

import pytest

from tests.attacks import reviews
from tests.attacks.common import Tally
from tests.bundles import random_bundle


def test_hostile_files_are_answered_reported_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, tally = random_bundle(tmp_path / "bundle", hidden_size=4), Tally("reviews")
    monkeypatch.setattr(reviews, "RANDOM_FILES", 50)
    reviews.by_hand(tally, bundle, tmp_path)
    reviews.random_files(tally, bundle, tmp_path)
    assert not tally.fell
    assert tally.held == len(reviews.BY_HAND) + 50
