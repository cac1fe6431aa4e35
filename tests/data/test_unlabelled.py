"""Unlabelled reviews: made from the published archive without what the official files hold."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nsmc.data.corpus import NSMC, read_reviews
from nsmc.data.unlabelled import fetch_unlabelled, write_unlabelled
from tests.data.test_download import Reply, direct_and_impatient, serving

__all__ = ["direct_and_impatient"]  # a fixture

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

UNLABELLED = NSMC.without_labels()
TOP = "nsmc-e25115d"
TRAIN = [("1", "재밌다", 1), ("2", "별로", 0)]
TEST = [("3", "최고의 영화", 1), ("4", "두  칸", 0)]


def review(number: int | str, text: str) -> dict[str, Any]:
    return {"review_id": str(number), "movie_id": "1", "review": text, "rating": "7"}


def archived(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()


def as_published(*films: Sequence[dict[str, Any]]) -> bytes:
    """An archive as GitHub makes it: all in one folder, the reviews of each film in a file."""
    raw = {
        f"{TOP}/raw/{number}.json": json.dumps(reviews, ensure_ascii=number % 2 == 0).encode()
        for number, reviews in enumerate(films)
    }
    others = {f"{TOP}/README.md": b"# NSMC", f"{TOP}/ratings.txt": b"id\tdocument\tlabel\n"}
    return archived({**others, **raw})


def write_official(root: Path) -> Path:
    for name, rows in (("train.txt", TRAIN), ("test.txt", TEST)):
        lines = ["\t".join(map(str, row)) for row in rows]
        text = "\n".join(["id\tdocument\tlabel", *lines]) + "\n"
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_official(tmp_path)


@pytest.fixture(scope="module")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For hypothesis, whose examples write their archives over each other's."""
    return write_official(tmp_path_factory.mktemp("corpus"))


def made(root: Path, *films: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """What is read of the file that is made of an archive."""
    (root / "archive").write_bytes(as_published(*films))
    path = root / "unlabelled.txt"
    write_unlabelled(path, root / "archive", root / "train.txt", root / "test.txt")
    reviews = read_reviews(path, UNLABELLED)
    return list(zip(reviews.ids, reviews.texts, strict=True))


def test_all_films_reviews_are_kept_in_their_order(root: Path) -> None:
    films = [review(10, "좋아요"), review(11, "so so")], [review(12, "👍")]
    assert made(root, *films) == [("10", "좋아요"), ("11", "so so"), ("12", "👍")]


def test_official_reviews_are_left_out(root: Path) -> None:
    films = [review(1, "재밌다"), review(3, "최고의 영화"), review(10, "좋아요")]
    assert made(root, films) == [("10", "좋아요")]


def test_twins_of_test_reviews_are_left_out_and_those_of_training_reviews_kept(root: Path) -> None:
    films = [review(10, " 최고의 영화 "), review(11, "재밌다")]
    assert made(root, films) == [("11", "재밌다")]


def test_white_space_within_does_not_hide_a_twin_of_a_test_review(root: Path) -> None:
    films = [review(10, "두  칸"), review(11, "두 칸"), review(12, "두\n칸"), review(13, "또")]
    assert made(root, films) == [("13", "또")]


def test_a_review_that_comes_twice_is_kept_once_and_one_without_a_text_never(root: Path) -> None:
    films = [review(10, "좋아요"), review(11, " \n")], [review(10, "좋아요")]
    assert made(root, *films) == [("10", "좋아요")]


letters = st.sampled_from([*'"""\t\n\r,; ', "가", "a", "\u2028", "\x85", "\x1c", "\\", "'"])
texts = st.lists(letters, max_size=12).map("".join) | st.text(max_size=12)


@settings(deadline=None, max_examples=200)
@given(st.lists(texts, min_size=1, max_size=6))
@example(['"좋다"'])
@example(['"'])
@example(['""'])
@example(['""""좋다""""'])
@example(['그는 "좋다"'])
def test_whatever_a_review_holds_is_read_as_it_was_but_for_white_space(
    corpus_root: Path, texts: list[str]
) -> None:
    films = [review(10 + row, text) for row, text in enumerate([*texts, "last"])]
    expected = [(each["review_id"], " ".join(each["review"].split())) for each in films]
    assert made(corpus_root, films) == [(number, text) for number, text in expected if text]


# Archives that are none


def refusal(root: Path, content: bytes) -> str:
    (root / "archive").write_bytes(content)
    before = {path.name for path in root.iterdir()}
    with pytest.raises(ValueError) as caught:
        write_unlabelled(
            root / "unlabelled.txt", root / "archive", root / "train.txt", root / "test.txt"
        )
    assert {path.name for path in root.iterdir()} == before
    message = str(caught.value)
    assert str(root / "archive") in message and "\n" not in message
    return message


LARGE = as_published(
    *([review(100 * film + row, f"{film} {row}") for row in range(99)] for film in range(20))
)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99])
def test_an_archive_that_is_cut_short_is_refused(root: Path, share: float) -> None:
    refusal(root, LARGE[: int(len(LARGE) * share)])


def test_an_altered_archive_is_refused(root: Path) -> None:
    middle = len(LARGE) // 2
    refusal(root, LARGE[:middle] + bytes(64) + LARGE[middle + 64 :])


@pytest.mark.parametrize(
    "content",
    [
        b"<html>Not found</html>",
        archived({f"{TOP}/raw/1.json": b"not json"}),
        archived({f"{TOP}/raw/1.json": b'[{"review": "x"}]'}),
        archived({f"{TOP}/raw/1.json": b'{"review": "x"}'}),
        archived({f"{TOP}/raw/1.json": b"[1]"}),
        archived({f"{TOP}/raw/1.json": b"7"}),
        archived({f"{TOP}/raw/1.json": b"\xff\xfe"}),
    ],
    ids=["page", "no json", "no id", "object", "numbers", "number", "bytes"],
)
def test_what_is_no_such_archive_is_refused(root: Path, content: bytes) -> None:
    assert "not the archive of NSMC's repository" in refusal(root, content)


def test_an_archive_without_reviews_is_refused(root: Path) -> None:
    assert "no reviews in its folder raw/" in refusal(root, as_published())
    assert "no reviews in its folder raw/" in refusal(root, as_published([review(1, "재밌다")]))


# Fetching


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"train.txt", "test.txt"}


def fetch(root: Path, url: str | None) -> None:
    fetch_unlabelled(root / "unlabelled.txt", url, root / "train.txt", root / "test.txt")


def test_the_archive_is_fetched_once_and_not_kept(root: Path) -> None:
    body = as_published([review(10, "좋아요")])
    with serving([Reply(body=body)]) as server:
        fetch(root, f"{server.url}/archive.tar.gz")
        fetch(root, f"{server.url}/archive.tar.gz")
    assert server.requested == ["/archive.tar.gz"]
    assert read_reviews(root / "unlabelled.txt", UNLABELLED).texts == ["좋아요"]
    assert files_in(root) == {"unlabelled.txt"}


def test_a_file_that_is_there_is_never_touched(root: Path) -> None:
    (root / "unlabelled.txt").write_text("mine")
    fetch(root, "http://127.0.0.1:9/nobody")
    assert (root / "unlabelled.txt").read_text() == "mine"


def test_what_came_and_is_no_archive_is_refused_and_leaves_nothing(root: Path) -> None:
    with serving([Reply(body=b"<html>")] * 2) as server, pytest.raises(ValueError):
        fetch(root, f"{server.url}/archive.tar.gz")
    assert files_in(root) == set()


def test_a_file_that_nobody_publishes_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"unlabelled\.txt is not there") as raised:
        fetch(root, None)
    assert "data.unlabelled_file" in str(raised.value)
    assert "data.unlabelled=false" in str(raised.value)
