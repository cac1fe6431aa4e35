"""A corpus becomes three memory-mapped parts, once for each content and setting."""

import hashlib
import logging
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

import nsmc.data.encoding
from nsmc.comparison.slices import slices_of
from nsmc.data.corpus import NSMC, CorpusForm
from nsmc.data.download import RemoteFile
from nsmc.data.encoding import (
    EncodedCorpus,
    TextsOnDisk,
    TokenizerSettings,
    concatenated,
    encode_corpus,
    encode_texts,
)
from nsmc.data.files import UNLABELLED, CorpusFiles
from nsmc.data.splitting import SplitSettings
from nsmc.data.tokenizer import save_tokenizer, train_tokenizer
from nsmc.reading.file_format import FileFormat
from nsmc.reading.labels import LabelRules
from nsmc.runtime.tokenizer_file import portable
from tests.bundles import wrapped

SETTINGS = TokenizerSettings(vocab_size=320, min_frequency=2, normalization="nfc")
SPLIT = SplitSettings(validation_fraction=0.2, split_seed=7)
NAMES = ("negative", "positive")
SPLITS = ("train", "val", "test")

TRAIN = [(f" 영화 {number} 번째 \u1112\u1161\u11ab ", number % 2) for number in range(40)] + [
    ("", 1)
]
TEST = [("재미있다 <pad>", 1), ("\u3000", 0), ("최고 🎬", 1), ("별로", 0)]


def write_corpus(folder: Path) -> CorpusFiles:
    folder.mkdir()
    for name, rows in (("train.txt", TRAIN), ("test.txt", TEST)):
        lines = [f"{number}\t{text}\t{label}\n" for number, (text, label) in enumerate(rows)]
        (folder / name).write_text("id\tdocument\tlabel\n" + "".join(lines), encoding="utf-8")
    return files_in(folder)


def files_in(folder: Path) -> CorpusFiles:
    return CorpusFiles(folder, "train.txt", SPLIT, "test.txt")


def encoded(folder: Path, settings: TokenizerSettings = SETTINGS) -> EncodedCorpus:
    """The corpus in `folder`, encoded into the cache beside it."""
    if not folder.exists():
        write_corpus(folder)
    return encode_corpus(files_in(folder), settings, folder.parent / "cache")


def key_of(corpus: EncodedCorpus) -> str:
    return corpus.tokenizer_path.parent.name


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> Tokenizer:
        raise AssertionError("the corpus must not be encoded again")

    monkeypatch.setattr(nsmc.data.encoding, "train_tokenizer", refuse)


def texts_of(corpus: EncodedCorpus, split: str) -> list[str]:
    reviews, tokenizer = corpus.splits[split], corpus.tokenizer()
    return [tokenizer.decode(reviews.review(row).tolist()) for row in range(len(reviews))]


def test_the_three_parts_hold_the_corpus(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    corpus = encoded(tmp_path / "corpus")
    assert tuple(corpus.splits) == SPLITS
    for name, part in files_in(tmp_path / "corpus").read().items():
        stripped = [unicodedata.normalize("NFC", text).strip() for text in part.texts]
        assert texts_of(corpus, name) == stripped
        assert corpus.splits[name].labels.tolist() == part.labels.tolist()
    assert [len(corpus.splits[name]) for name in SPLITS] == [32, 8, 3]
    assert "left out: 2 rows without a text" in caplog.text


def test_the_tokenizer_is_trained_on_the_training_part_alone(tmp_path: Path) -> None:
    corpus = encoded(tmp_path / "corpus")
    train = files_in(tmp_path / "corpus").read()["train"]
    alone = train_tokenizer(train.texts, vocab_size=320, min_frequency=2, normalization="nfc")
    assert corpus.tokenizer().get_vocab() == alone.get_vocab()


def test_a_bundle_s_tokenizer_is_that_of_its_run_and_cuts_nothing(tmp_path: Path) -> None:
    first = encoded(tmp_path / "corpus")
    exported = tmp_path / "tokenizer.json"
    content = first.tokenizer_path.read_text(encoding="utf-8")
    exported.write_text(portable(content, max_length=2), encoding="utf-8")
    settings = replace(SETTINGS, file=exported)
    second = encode_corpus(files_in(tmp_path / "corpus"), settings, tmp_path / "cache2")
    assert second.tokenizer_fingerprint == first.tokenizer_fingerprint
    assert texts_of(second, "val") == texts_of(first, "val")


def test_the_arrays_are_small_memory_mapped_and_read_only(tmp_path: Path) -> None:
    corpus = encoded(tmp_path / "corpus")
    for reviews in corpus.splits.values():
        arrays = (reviews.token_ids, reviews.offsets, reviews.labels)
        assert [str(array.dtype) for array in arrays] == ["uint16", "int64", "int16"]
        for array in arrays:
            assert isinstance(array, np.memmap)
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_every_review_has_a_token_and_none_is_padding(tmp_path: Path) -> None:
    for reviews in encoded(tmp_path / "corpus").splits.values():
        assert np.diff(reviews.offsets).min() >= 1
        assert reviews.token_ids.min() >= 1
        assert (reviews.offsets[0], reviews.offsets[-1]) == (0, len(reviews.token_ids))


# The cache


def test_a_second_use_encodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = encoded(tmp_path / "corpus")
    forbid_training(monkeypatch)
    second = encoded(tmp_path / "corpus")
    for name in SPLITS:
        for field in ("token_ids", "offsets", "labels"):
            np.testing.assert_array_equal(
                getattr(first.splits[name], field), getattr(second.splits[name], field)
            )
    for part in ("val", "test"):
        assert first.keys[part].ids.tolist() == second.keys[part].ids.tolist()
    assert replace(first, splits={}, keys={}) == replace(second, splits={}, keys={})


def test_who_the_reviews_are_that_are_measured_on_is_kept(tmp_path: Path) -> None:
    corpus, parts = encoded(tmp_path / "corpus"), files_in(tmp_path / "corpus").read()
    assert corpus.keys.keys() == {"val", "test"}
    for name, keys in corpus.keys.items():
        assert [key.decode() for key in keys.ids.tolist()] == parts[name].ids
        assert keys.slices.tolist() == slices_of(parts[name].texts).tolist()


def test_the_path_of_the_corpus_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encoded(tmp_path / "corpus")
    (tmp_path / "corpus").rename(tmp_path / "moved")
    (tmp_path / "moved" / "train.txt").rename(tmp_path / "moved" / "other name.txt")
    forbid_training(monkeypatch)
    moved = tmp_path / "moved"
    files = replace(files_in(moved), train_file="other name.txt")
    second = encode_corpus(files, SETTINGS, tmp_path / "cache")
    assert key_of(second) == key_of(first)
    assert second.corpus_fingerprint == first.corpus_fingerprint


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"split": replace(SPLIT, validation_fraction=0.25)}, {}),
        ({"split": replace(SPLIT, split_seed=8)}, {}),
        ({"form": replace(NSMC, skip_damaged=True)}, {}),
        ({"form": replace(NSMC, labels=LabelRules(mapping={"0": "bad", "1": "good"}))}, {}),
        ({}, {"vocab_size": 321}),
        ({}, {"min_frequency": 3}),
        ({}, {"normalization": "nfd"}),
    ],
)
def test_each_setting_has_an_encoding_of_its_own(
    tmp_path: Path, changes: dict[str, Any], settings: dict[str, Any]
) -> None:
    first = encoded(tmp_path / "corpus")
    files = replace(files_in(tmp_path / "corpus"), **changes)
    second = encode_corpus(files, replace(SETTINGS, **settings), tmp_path / "cache")
    assert key_of(first) != key_of(second)
    assert first.corpus_fingerprint == second.corpus_fingerprint
    assert first.tokenizer_path.exists()


def test_texts_that_are_in_two_parts_are_counted_every_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "test.txt").write_bytes(files.train.read_bytes())
    for _ in range(2):
        caplog.clear()
        encode_corpus(files, SETTINGS, tmp_path / "cache")
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert [warning.getMessage() for warning in warnings] == [
            "32 of the test part's 40 reviews have a text of the training part",
            "8 of the test part's 40 reviews have a text of the validation part",
        ]


def test_the_same_bytes_in_another_format_have_an_encoding_of_their_own(tmp_path: Path) -> None:
    form = CorpusForm(FileFormat(1, 2, header=False, delimiter="\t"), LabelRules())
    split = replace(SPLIT, test_fraction=0.2)
    found = {}
    for name in ("a.tsv", "b.tsv", "a.csv"):
        lines = [f'글 "{number}"\t{number % 2}\n' for number in range(80)]
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
        files = CorpusFiles(tmp_path, name, split, form=form, classifier=False)
        found[name] = encode_corpus(files, SETTINGS, tmp_path / "cache")
    assert key_of(found["a.tsv"]) == key_of(found["b.tsv"])
    assert key_of(found["a.csv"]) != key_of(found["a.tsv"])


@pytest.mark.parametrize("name", ["train.txt", "test.txt"])
def test_each_content_has_an_encoding_of_its_own(tmp_path: Path, name: str) -> None:
    first = encoded(tmp_path / "corpus")
    with (tmp_path / "corpus" / name).open("a", encoding="utf-8") as file:
        file.write("99\t하나 더\t1\n")
    second = encoded(tmp_path / "corpus")
    assert key_of(first) != key_of(second)
    assert first.corpus_fingerprint != second.corpus_fingerprint
    split = {"train.txt": "train", "test.txt": "test"}[name]
    assert len(second.splits[split]) == len(first.splits[split]) + 1


def test_which_file_is_for_training_matters(tmp_path: Path) -> None:
    files = replace(
        write_corpus(tmp_path / "corpus"), split=replace(SPLIT, validation_fraction=0.5)
    )
    with (tmp_path / "corpus" / "test.txt").open("a", encoding="utf-8") as file:
        file.write("98\t지루하다\t0\n")
    straight = encode_corpus(files, SETTINGS, tmp_path / "cache")
    files = replace(files, train_file="test.txt", test_file="train.txt")
    swapped = encode_corpus(files, SETTINGS, tmp_path / "cache")
    assert key_of(straight) != key_of(swapped)
    assert len(swapped.splits["test"]) == 40


def test_a_damaged_encoding_is_made_again(tmp_path: Path) -> None:
    first = encoded(tmp_path / "corpus")
    expected = texts_of(first, "train")
    path = first.tokenizer_path.parent / "train.token_ids.npy"
    path.write_bytes(path.read_bytes()[:-2])
    assert texts_of(encoded(tmp_path / "corpus"), "train") == expected


def test_two_encodings_from_scratch_are_the_same_bytes(tmp_path: Path) -> None:
    folder = encoded(tmp_path / "corpus").tokenizer_path.parent
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    encoded(tmp_path / "corpus")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_the_tokenizers_fingerprint_is_its_files(tmp_path: Path) -> None:
    corpus = encoded(tmp_path / "corpus")
    digest = hashlib.sha256(corpus.tokenizer_path.read_bytes()).hexdigest()
    assert corpus.tokenizer_fingerprint == digest[:16]


# Unlabelled reviews and tokenizers that are given


def with_unlabelled(folder: Path, *texts: str) -> CorpusFiles:
    write_corpus(folder)
    lines = [f"u{number}\t{text}\n" for number, text in enumerate(texts)]
    (folder / "more.txt").write_text("id\tdocument\n" + "".join(lines), encoding="utf-8")
    return replace(files_in(folder), unlabelled_file="more.txt")


def test_unlabelled_reviews_are_a_fourth_part_without_those_that_are_held_out(
    tmp_path: Path,
) -> None:
    parts = write_corpus(tmp_path / "first").read()
    held_out = [f" {parts[name].texts[0].strip()}" for name in ("val", "test")]
    files = with_unlabelled(tmp_path / "corpus", "새 글", *held_out, "다른 글")
    corpus = encode_corpus(files, SETTINGS, tmp_path / "cache")
    assert tuple(corpus.splits) == (*SPLITS, UNLABELLED)
    assert texts_of(corpus, UNLABELLED) == ["새 글", "다른 글"]


def test_unlabelled_reviews_that_are_all_held_out_are_refused(tmp_path: Path) -> None:
    held_out = write_corpus(tmp_path / "first").read()["test"].texts[:1]
    files = with_unlabelled(tmp_path / "corpus", *held_out)
    with pytest.raises(ValueError, match=r"more\.txt: all its texts are .* another data\.unl"):
        files.read()


def test_the_tokenizer_learns_from_unlabelled_reviews_too(tmp_path: Path) -> None:
    texts = ["나비야 나비야"] * 9
    files = with_unlabelled(tmp_path / "corpus", *texts)
    corpus = encode_corpus(files, SETTINGS, tmp_path / "cache")
    train = files.read()["train"]
    alone = train_tokenizer(
        train.texts + texts, vocab_size=320, min_frequency=2, normalization="nfc"
    )
    assert corpus.tokenizer().get_vocab() == alone.get_vocab()


def test_other_unlabelled_reviews_have_an_encoding_of_their_own(tmp_path: Path) -> None:
    files = with_unlabelled(tmp_path / "corpus", "하나")
    none = encode_corpus(replace(files, unlabelled_file=None), SETTINGS, tmp_path / "cache")
    first = encode_corpus(files, SETTINGS, tmp_path / "cache")
    assert files.unlabelled is not None
    files.unlabelled.write_text("id\tdocument\n0\t둘\n", encoding="utf-8")
    second = encode_corpus(files, SETTINGS, tmp_path / "cache")
    assert len({key_of(corpus) for corpus in (none, first, second)}) == 3


def test_a_tokenizer_that_is_given_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = train_tokenizer(["가나다"] * 3, vocab_size=300, min_frequency=2, normalization="nfc")
    save_tokenizer(other, tmp_path / "given.json")
    forbid_training(monkeypatch)
    corpus = encoded(tmp_path / "corpus", replace(SETTINGS, file=tmp_path / "given.json"))
    assert corpus.tokenizer_path.read_bytes() == (tmp_path / "given.json").read_bytes()
    train = files_in(tmp_path / "corpus").read()["train"]
    assert corpus.splits["train"].review(0).tolist() == other.encode(train.texts[0]).ids


# Without a test file


def test_without_a_test_file_there_are_two_parts_in_an_encoding_of_their_own(
    tmp_path: Path,
) -> None:
    whole = encoded(tmp_path / "corpus")
    published = hashlib.sha256((tmp_path / "corpus" / "test.txt").read_bytes()).hexdigest()
    (tmp_path / "corpus" / "test.txt").unlink()
    files = replace(files_in(tmp_path / "corpus"), needs_test=False)
    without, as_published = (
        encode_corpus(replace(files, remote_files=remote), SETTINGS, tmp_path / "cache")
        for remote in ({}, {"test.txt": RemoteFile("", published)})
    )
    for corpus in (without, as_published):
        assert tuple(corpus.splits) == ("train", "val")
        assert texts_of(corpus, "val") == texts_of(whole, "val")
    # Which corpus it is does not depend on whether a published file is there yet.
    assert as_published.corpus_fingerprint == whole.corpus_fingerprint
    assert without.corpus_fingerprint != whole.corpus_fingerprint
    assert len({key_of(corpus) for corpus in (whole, without, as_published)}) == 3


def test_without_a_test_file_unlabelled_reviews_are_compared_with_the_validation_part(
    tmp_path: Path,
) -> None:
    val = write_corpus(tmp_path / "first").read()["val"]
    files = with_unlabelled(tmp_path / "corpus", "새 글", val.texts[0].strip(), "별로")
    (tmp_path / "corpus" / "test.txt").unlink()
    corpus = encode_corpus(replace(files, needs_test=False), SETTINGS, tmp_path / "cache")
    assert texts_of(corpus, UNLABELLED) == ["새 글", "별로"]


# Errors


@pytest.mark.parametrize("label", [0, 1])
def test_a_classifier_is_refused_one_label_alone(tmp_path: Path, label: int) -> None:
    files = write_corpus(tmp_path / "corpus")
    lines = files.train.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.endswith(("label", str(label)))]
    files.train.write_text("\n".join(kept) + "\n", encoding="utf-8")
    message = rf"train\.txt: every review has the label '{NAMES[label]}';"
    with pytest.raises(ValueError, match=message):
        encode_corpus(files, SETTINGS, tmp_path / "cache")
    # A language model needs no labels; what it encoded is refused to a classifier all the same.
    encode_corpus(replace(files, classifier=False), SETTINGS, tmp_path / "cache")
    with pytest.raises(ValueError, match=message):
        encode_corpus(files, SETTINGS, tmp_path / "cache")


@pytest.mark.parametrize("name", ["train.txt", "test.txt"])
def test_a_missing_corpus_file_is_named(tmp_path: Path, name: str) -> None:
    write_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        encoded(tmp_path / "corpus")


def test_a_wrong_corpus_leaves_no_encoding_behind(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    (tmp_path / "corpus" / "test.txt").write_text("id\tdocument\tlabel\n1\ta\t5\n")
    with pytest.raises(ValueError, match=r"test\.txt, line 2: label '5'"):
        encoded(tmp_path / "corpus")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    files = write_corpus(tmp_path / "corpus")
    with pytest.raises(OSError, match=r"cannot write .*train\.txt.*data\.cache_dir"):
        encode_corpus(files, SETTINGS, cache_dir=files.train)


# In memory


def test_parts_are_concatenated_in_their_order() -> None:
    tokenizer = train_tokenizer(["ab"] * 2, vocab_size=300, min_frequency=2, normalization="nfc")
    first = encode_texts(wrapped(tokenizer), ["ab", "ba"], np.array([1, 0], dtype=np.int16))
    second = encode_texts(wrapped(tokenizer), ["b"], np.array([0], dtype=np.int16))
    both = concatenated([first, second])
    assert [both.review(row).tolist() for row in range(3)] == [[257], [66, 65], [66]]
    assert both.labels.tolist() == [1, 0, 0]
    assert len(both) == 3


def test_reviews_lie_one_after_the_other() -> None:
    # One merge: "ab" is token 257. The bytes follow `<pad>` in order, "!" first, so "a" is 65.
    tokenizer = train_tokenizer(["ab", "ab"], vocab_size=300, min_frequency=2, normalization="nfc")
    texts = ["ab", "b", "bab\n"]
    reviews = encode_texts(wrapped(tokenizer), texts, np.array([1, 0, 1], dtype=np.int16))
    assert reviews.token_ids.tolist() == [257, 66, 66, 257]
    assert reviews.offsets.tolist() == [0, 1, 2, 4]
    assert reviews.labels.tolist() == [1, 0, 1]
    assert [reviews.review(row).tolist() for row in range(3)] == [[257], [66], [66, 257]]
    assert reviews.review(2).dtype == np.int64


@pytest.mark.parametrize(
    ("vocab_size", "dtype"),
    [(256, "uint8"), (257, "uint16"), (65_536, "uint16"), (65_537, "uint32")],
)
def test_ids_have_the_smallest_type_that_holds_the_last_one(vocab_size: int, dtype: str) -> None:
    tokenizer = Tokenizer(models.WordLevel({str(i): i for i in range(vocab_size)}, unk_token="0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    last = vocab_size - 1
    reviews = encode_texts(wrapped(tokenizer), [f"1 {last}"], np.array([0], dtype=np.int16))
    assert str(reviews.token_ids.dtype) == dtype
    assert reviews.token_ids.tolist() == [1, last]


# Texts on disk

ANY_TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=20)


@given(ANY_TEXTS, st.integers(0, 25), st.integers(0, 25))
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
