"""Texts on disk come back in slices, as they were, and are gone when they are removed."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from nsmc.data.texts_on_disk import TextsOnDisk

TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=20)


@given(TEXTS, st.integers(0, 25), st.integers(0, 25))
def test_slices_are_those_of_the_list(texts: list[str], start: int, stop: int) -> None:
    with TemporaryDirectory() as folder:
        stored = TextsOnDisk(Path(folder) / "texts", texts)
        assert len(stored) == len(texts)
        assert stored[start:stop] == texts[start:stop]


def test_the_file_is_removed_and_the_length_stays(tmp_path: Path) -> None:
    stored = TextsOnDisk(tmp_path / "texts", ["영화", "", "a\u2028b\r\n"])
    stored.remove()
    assert list(tmp_path.iterdir()) == []
    assert len(stored) == 3
