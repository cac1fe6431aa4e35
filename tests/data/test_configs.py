"""The corpora of configs/data/ are read as they are published, and none has another one's files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nsmc.config.composition import CONFIGS
from nsmc.config.schema import check_config
from nsmc.data.corpus import Reviews
from nsmc.runs.corpus_files import files_of

Composed = Callable[..., dict[str, Any]]

CHOICES = sorted(path.stem for path in (CONFIGS / "data").glob("*.yaml"))
EXPERIMENTS = sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml"))


@pytest.fixture
def read(composed: Composed, tmp_path: Path) -> Callable[..., dict[str, Reviews]]:
    def read(name: str, *overrides: str, **files: str) -> dict[str, Reviews]:
        for file, content in files.items():
            path = tmp_path / f"{file.replace('__', '.')}"
            path.write_text(content, encoding="utf-8")
        config = check_config(composed(f"data={name}", f"data.root={tmp_path}", *overrides))
        return files_of(config).read()

    return read


def test_shopping_reviews_are_rating_and_text(
    read: Callable[..., dict[str, Reviews]],
) -> None:
    ratings = (5, 2, 1, 4)
    lines = [f'{ratings[number % 4]}\t"배송" 빨라요 {number}' for number in range(80)]
    parts = read("shopping", naver_shopping__txt="\n".join(lines) + "\n")
    assert {name: len(part) for name, part in parts.items()} == {"train": 64, "val": 8, "test": 8}
    assert parts["train"].label_names == ("negative", "positive")
    assert '"배송" 빨라요 ' in parts["train"].texts[0]  # quotes are text
    for part in parts.values():
        assert part.labels.tolist() == [int(int(i) % 4 in (1, 0)) for i in part.ids]
    with pytest.raises(ValueError, match=r"line 81: label '3' is not in data\.label_map"):
        read("shopping", naver_shopping__txt="\n".join([*lines, "3\t글"]))


def test_steam_reviews_are_label_and_text(read: Callable[..., dict[str, Reviews]]) -> None:
    lines = [f"{number % 2}\t게임 {number}" for number in range(100)]
    parts = read("steam", steam__txt="\n".join(lines))
    assert {name: len(part) for name, part in parts.items()} == {"train": 82, "val": 8, "test": 10}
    assert parts["test"].label_names == ("negative", "positive")


def test_ratings_are_three_labels_or_ten(read: Callable[..., dict[str, Reviews]]) -> None:
    rows = [f'"재밌다, 글 {number}",{1 + number % 10},{number // 2}' for number in range(400)]
    files = {
        "train__csv": "\n".join(["review,rating,movie", *rows]),
        "test__csv": "review,rating,movie\n별로,1,900\n",
    }
    three, ten = read("ratings", **files), read("ratings", "data.label_map=null", **files)
    assert three["train"].label_names == ("negative", "mixed", "positive")
    assert ten["train"].label_names == tuple(map(str, range(1, 11)))
    assert three["test"].labels.tolist() == ten["test"].labels.tolist() == [0]
    assert not {*three["train"].groups} & {*three["val"].groups}


@pytest.mark.parametrize("name", [name for name in CHOICES if name != "nsmc"])
def test_only_nsmc_downloads(composed: Composed, name: str) -> None:
    data = composed(f"data={name}")["data"]
    assert (data["remote_files"], data["unlabelled_archive"]) == (None, None)


def test_a_corpus_of_ones_own_in_nsmc_s_form_downloads_nothing(
    composed: Composed, tmp_path: Path
) -> None:
    overrides = ("data=folder", f"data.root={tmp_path}", "experiment=pretrain")
    files = files_of(check_config(composed(*overrides)))
    assert (files.remote_files, files.unlabelled_archive) == ({}, None)
    for name in ("ratings_train.txt", "ratings_test.txt"):
        (tmp_path / name).write_text("id\tdocument\tlabel\n1\t가\t1\n", encoding="utf-8")
    with pytest.raises(FileNotFoundError, match=r"unlabeled\.txt is not there; set data"):
        files.fetch()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ratings_test.txt",
        "ratings_train.txt",
    ]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_sample_has_all_that_an_experiment_needs(composed: Composed, experiment: str) -> None:
    needed = ("distill.teachers=[teacher]",) if experiment == "distill" else ()
    config = check_config(composed("data=sample", f"experiment={experiment}", *needed))
    files_of(config).fetch()  # which would raise, or try to download
    assert "unlabelled" not in files_of(config).read()
