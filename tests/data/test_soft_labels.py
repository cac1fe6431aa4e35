"""Soft labels: read from files, asked of bundles once, and mixed with the true labels."""

from pathlib import Path

import numpy as np
import pytest

import nsmc.data.soft_labels
from nsmc.data.corpus import Reviews
from nsmc.data.soft_labels import Distillation, soft_labels, teacher_digest
from nsmc.data.soft_labels_file import check_ids, write_soft_labels
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.predictor import Predictor
from tests.bundles import random_bundle

TEXTS = ["정말 재밌는 영화", "너무 지루하다", "최고 👍 ㅋㅋㅋ", "돈이 아깝다"]
NAMES = ("negative", "positive")
REVIEWS = Reviews(TEXTS, np.array([1, 0, 1, 0], np.int16), NAMES, {}, ["7", "8", "9", "10"])
HEADER = "id\tprobability\n"


def written(folder: Path, content: str, name: str = "soft.tsv") -> str:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def file_of(folder: Path, probabilities: list[float], name: str = "soft.tsv") -> str:
    rows = zip(REVIEWS.ids, probabilities, strict=True)
    return written(folder, HEADER + "".join(f"{i}\t{p!r}\n" for i, p in rows), name)


# Files


def test_a_file_s_probabilities_are_found_by_id_in_any_order(tmp_path: Path) -> None:
    teacher = written(tmp_path, HEADER + "10\t0.25\n99\t0.5\n9\t1\n8\t0\n7\t1e-1\n")
    found = soft_labels(teacher, REVIEWS, NAMES, tmp_path / "cache")
    assert found.dtype == np.float32
    assert found[:, 1].tolist() == pytest.approx([0.1, 0, 1, 0.25])
    assert found.sum(axis=1).tolist() == pytest.approx([1] * 4)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_may_come_from_any_system(tmp_path: Path, end: str, mark: str) -> None:
    rows = ["id\tprobability", "7\t0.5", "8\t0.5", "9\t0.5", "10\t0.5"]
    (tmp_path / "soft.tsv").write_bytes((mark + end.join(rows) + end).encode())
    found = soft_labels(str(tmp_path / "soft.tsv"), REVIEWS, NAMES, tmp_path / "cache")
    assert found.tolist() == [[0.5, 0.5]] * 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "7\t0.5\n8\t0.5\n10\t0.5\n", "no probability for the review with id '9'"),
        (HEADER + "7\t0.5\n8\t0.5\n7\t0.6\n", "line 4: the id 7 had another probability before"),
        (HEADER + "7\t0.5\n8\thalf\n", "line 3: probability 'half' is not between 0 and 1"),
        (HEADER + "7\t1.5\n", "line 2: probability '1.5' is not between 0 and 1"),
        (HEADER + "7\t-0.1\n", "line 2: probability '-0.1' is not between 0 and 1"),
        (HEADER + "7\tnan\n", "line 2: probability 'nan' is not between 0 and 1"),
        (HEADER + "7\n", "line 2: 1 fields where the first row has 2"),
        (
            "id\tlabel\n7\t0.5\n",
            "line 1: no column 'negative'; expected id and 'negative', 'positive'",
        ),
        ("id,probability\n7,0.5\n", "line 1: no column 'id'; expected id and"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    teacher = written(tmp_path, content)
    with pytest.raises(ValueError) as caught:
        soft_labels(teacher, REVIEWS, NAMES, tmp_path / "cache")
    assert message in str(caught.value) and teacher in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("char", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c"])
def test_what_was_written_is_read_whatever_is_in_an_id(tmp_path: Path, char: str) -> None:
    ids, path = [f"a{char}b", f"{char}", "c"], tmp_path / "soft_labels.tsv"
    write_soft_labels(path, ids, NAMES, np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]))
    reviews = Reviews(["가"] * 3, np.zeros(3, np.int16), NAMES, {}, ids)
    assert soft_labels(str(path), reviews, NAMES, tmp_path)[:, 1].tolist() == [0.25, 0.5, 0.75]


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "soft.tsv").write_bytes(HEADER.encode() + "7\t0.5 재밌다".encode("cp949"))
    with pytest.raises(ValueError, match=r"soft\.tsv"):
        soft_labels(str(tmp_path / "soft.tsv"), REVIEWS, NAMES, tmp_path / "cache")


def test_a_missing_teacher_is_named(tmp_path: Path) -> None:
    for ask in (lambda t: soft_labels(t, REVIEWS, NAMES, tmp_path / "cache"), teacher_digest):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            ask(str(tmp_path / "nowhere"))


def test_a_missing_teacher_is_named_with_its_key() -> None:
    with pytest.raises(FileNotFoundError, match=r"^distill\.teachers: nowhere: no such file or "):
        Distillation(("nowhere",), None, 1.0).check(NAMES)


def test_a_folder_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    for ask in (lambda t: soft_labels(t, REVIEWS, NAMES, tmp_path / "cache"), teacher_digest):
        with pytest.raises(FileNotFoundError, match="not a bundle, config"):
            ask(str(tmp_path))


def test_a_file_about_more_labels_has_a_column_for_each_in_any_order(tmp_path: Path) -> None:
    names, path = ("나쁨", "보통", "좋음"), tmp_path / "soft_labels.tsv"
    answers = np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8], [0.2, 0.5, 0.3]])
    write_soft_labels(path, REVIEWS.ids, names, answers)
    found = soft_labels(str(path), REVIEWS, names, tmp_path)
    np.testing.assert_allclose(found, answers, atol=1e-6)
    others = soft_labels(str(path), REVIEWS, names[::-1], tmp_path)
    np.testing.assert_allclose(others, answers[:, ::-1], atol=1e-6)
    with pytest.raises(ValueError, match="no column '아주 좋음'"):
        soft_labels(str(path), REVIEWS, (*names, "아주 좋음"), tmp_path)


@pytest.mark.parametrize(
    ("ids", "names", "problem"),
    [
        (["a\tb"], NAMES, r"the id 'a\\tb' has a tab or a line end"),
        (["a\nb"], NAMES, r"name another column with data\.id_column"),
        (["a\rb"], NAMES, "a tab or a line end"),
        (["a"], ("id", "b", "c"), "the label 'id' cannot be the name of a column"),
        (["a"], ("a", "b\tc", "d"), r"give it another one with data\.label_map"),
        (["a"], ("a", " b", "d"), "the label ' b' cannot be"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, ids: list[str], names: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        write_soft_labels(tmp_path / "s.tsv", ids, names, np.full((1, len(names)), 0.5))
    assert not [*tmp_path.iterdir()]


def test_of_two_labels_neither_is_a_column_s_name(tmp_path: Path) -> None:
    path, names = tmp_path / "soft_labels.tsv", ("id", " b")
    write_soft_labels(path, REVIEWS.ids, names, np.array([[0.5, 0.5]] * 4))
    assert soft_labels(str(path), REVIEWS, names, tmp_path).tolist() == [[0.5, 0.5]] * 4


def test_a_file_s_columns_may_be_written_as_labels_may(tmp_path: Path) -> None:
    rows = "".join(f"{review_id}\t0.25\t0.75\n" for review_id in REVIEWS.ids)
    teacher = written(tmp_path, f"id\tTrue\t0.50\n{rows}")
    found = soft_labels(teacher, REVIEWS, ("0.5", "true"), tmp_path)
    assert found.tolist() == [[0.75, 0.25]] * 4


def test_an_id_of_different_reviews_is_refused_before_anything_is_learnt() -> None:
    check_ids(["1", "2", "1"], ["a", "b", "a"])
    with pytest.raises(ValueError, match=r"^the id '1' is that of different reviews.*id_column$"):
        check_ids(["1", "2", "1"], ["a", "b", "c"])


# Bundles


def test_a_file_has_no_answer_to_different_reviews_of_one_id(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("id\tprobability\n7\t0.5\n", encoding="utf-8")
    reviews = Reviews(["가", "나"], np.zeros(2, np.int16), NAMES, {}, ["7", "7"])
    with pytest.raises(ValueError, match="the id '7' is that of different reviews"):
        soft_labels(str(path), reviews, NAMES, tmp_path)


def test_a_bundle_of_before_answers_the_same_labels(tmp_path: Path) -> None:
    old = str(random_bundle(tmp_path / "old", labels=("True", "0.50")))
    found = soft_labels(old, REVIEWS, ("0.5", "true"), tmp_path / "cache")
    expected = Predictor.load(bundle_folder(Path(old))).probabilities(TEXTS)
    np.testing.assert_allclose(found, expected[:, ::-1], atol=1e-6)
    Distillation((old,), 0.5, 1.0).check(("true", "0.5"))


def bundle(folder: Path, scale: float = 1.0) -> Path:
    return random_bundle(folder, scale=scale, bidirectional=True, pooling="max_mean")


def predicted(folder: Path) -> list[float]:
    """The probabilities of the positive label."""
    answers = Predictor.load(folder)(TEXTS)
    return [a.probability if a.label == "positive" else 1 - a.probability for a in answers]


def test_a_bundle_s_answers_are_the_predictor_s(tmp_path: Path) -> None:
    teacher = bundle(tmp_path / "teacher")
    found = soft_labels(str(teacher), REVIEWS, NAMES, tmp_path / "cache")
    assert found.dtype == np.float32
    assert found[:, 1].tolist() == pytest.approx(predicted(teacher), abs=1e-6)
    assert np.ptp(found[:, 1]) > 0.01  # the reviews do differ


def test_more_reviews_than_are_asked_about_at_once_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = bundle(tmp_path / "teacher")
    monkeypatch.setattr(nsmc.data.soft_labels, "_CHUNK", 3)
    found = soft_labels(str(teacher), REVIEWS, NAMES, tmp_path / "cache")
    assert found[:, 1].tolist() == pytest.approx(predicted(teacher), abs=1e-6)


def test_a_run_s_folder_stands_for_its_bundle(tmp_path: Path) -> None:
    teacher = bundle(tmp_path / "run" / "bundle")
    assert bundle_folder(tmp_path / "run") == bundle_folder(teacher) == teacher
    direct, by_run = (
        soft_labels(str(each), REVIEWS, NAMES, tmp_path / "cache")
        for each in (teacher, tmp_path / "run")
    )
    assert direct.tolist() == by_run.tolist()
    assert teacher_digest(str(teacher)) == teacher_digest(str(tmp_path / "run"))


def test_a_bundle_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = str(bundle(tmp_path / "teacher"))
    first = soft_labels(teacher, REVIEWS, NAMES, tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(Predictor, "logits", refuse)
    assert soft_labels(teacher, REVIEWS, NAMES, tmp_path / "cache").tolist() == first.tolist()
    with pytest.raises(AssertionError, match="asked again"):  # about others it is
        soft_labels(teacher, REVIEWS.take(np.array([1, 0])), NAMES, tmp_path / "cache")


def test_a_bundle_of_other_labels_is_refused_before_any_teacher_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(Predictor, "logits", refuse)
    sound, foreign = bundle(tmp_path / "sound"), random_bundle(tmp_path / "o", labels=("a", "b"))
    with pytest.raises(ValueError, match="answers 'a', 'b'; the corpus has 'negative', 'posit"):
        soft_labels(str(foreign), REVIEWS, NAMES, tmp_path / "cache")
    wrong_file = written(tmp_path, "id\tx\n7\t0.5\n", "wrong.tsv")
    for other in (str(foreign), wrong_file):
        with pytest.raises(ValueError, match=r"answers 'a'|no column 'negative'"):
            Distillation((str(sound), other), 0.5, 1.0).check(NAMES)
    Distillation((str(sound), file_of(tmp_path, [0.5] * 4)), 0.5, 1.0).check(NAMES)


def test_another_bundle_in_the_same_place_is_asked_anew(tmp_path: Path) -> None:
    teacher = str(bundle(tmp_path / "teacher"))
    first = soft_labels(teacher, REVIEWS, NAMES, tmp_path / "cache")
    bundle(tmp_path / "teacher", scale=0.5)
    second = soft_labels(teacher, REVIEWS, NAMES, tmp_path / "cache")
    assert first.tolist() != second.tolist()


def test_a_teacher_s_digest_is_that_of_what_it_holds(tmp_path: Path) -> None:
    one, same, other = (bundle(tmp_path / f"{n}", scale) for n, scale in enumerate((1, 1, 0.5)))
    assert teacher_digest(str(one)) == teacher_digest(str(same)) != teacher_digest(str(other))


# Targets


def targets(folder: Path, *teachers: str, weight: float = 1.0, temperature: float = 1.0) -> object:
    distillation = Distillation(teachers, weight, temperature)
    return distillation.targets(REVIEWS, None, folder / "cache")[:, 1].tolist()


def test_of_several_teachers_the_mean_counts(tmp_path: Path) -> None:
    first = file_of(tmp_path, [0.9, 0.2, 0.5, 0.4])
    second = file_of(tmp_path, [0.7, 0.4, 0.5, 0.0], "second.tsv")
    assert targets(tmp_path, first, second) == pytest.approx([0.8, 0.3, 0.5, 0.2], abs=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_temperature_divides_the_logit(tmp_path: Path, temperature: float) -> None:
    teacher = file_of(tmp_path, [0.9, 0.2, 0.5, 0.4])
    odds = (np.array([9, 0.25, 1, 2 / 3])) ** (1 / temperature)
    found = targets(tmp_path, teacher, temperature=temperature)
    assert found == pytest.approx((odds / (1 + odds)).tolist(), abs=1e-6)


def test_targets_of_more_labels_mix_the_teachers_and_the_truth(tmp_path: Path) -> None:
    names, path = ("a", "b", "c"), tmp_path / "soft_labels.tsv"
    answers = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3]])
    write_soft_labels(path, REVIEWS.ids[:2], names, answers)
    reviews = Reviews(TEXTS[:2], np.array([2, 0], np.int16), names, {}, REVIEWS.ids[:2])
    mixed = Distillation((str(path),), 0.5, 1.0).targets(reviews, None, tmp_path / "cache")
    np.testing.assert_allclose(mixed, [[0.35, 0.1, 0.55], [0.65, 0.2, 0.15]], atol=1e-6)
    soft = Distillation((str(path),), 1.0, 0.5).targets(reviews, None, tmp_path / "cache")
    np.testing.assert_allclose(soft[1], np.array([9, 16, 9]) / 34, atol=1e-6)


def test_a_teacher_that_is_certain_gives_numbers(tmp_path: Path) -> None:
    found = targets(tmp_path, file_of(tmp_path, [1, 0, 1, 0]), temperature=0.1)
    assert found == pytest.approx([1, 0, 1, 0], abs=1e-5)


@pytest.mark.parametrize("weight", [0.05, 0.25, 1.0])
def test_the_weight_is_the_soft_label_s_share(tmp_path: Path, weight: float) -> None:
    soft = np.array([0.9, 0.2, 0.5, 0.4])
    found = targets(tmp_path, file_of(tmp_path, soft.tolist()), weight=weight)
    expected = weight * soft + (1 - weight) * REVIEWS.labels
    assert found == pytest.approx(expected.tolist(), abs=1e-6)


def test_without_a_weight_the_labels_count_alone_where_others_have_the_teachers(
    tmp_path: Path,
) -> None:
    teacher = file_of(tmp_path, [0.9, 0.2, 0.5, 0.4])
    labelled, unlabelled = REVIEWS.take(np.array([0, 1])), REVIEWS.take(np.array([3, 2]))
    for weight in (None, 0.0):
        taught = Distillation((teacher,), weight, 1.0)
        found = taught.targets(labelled, unlabelled, tmp_path / "cache")[:, 1].tolist()
        assert found == pytest.approx([*labelled.labels.tolist(), 0.4, 0.5], abs=1e-6)
    alone = Distillation((teacher,), None, 1.0).targets(labelled, None, tmp_path / "cache")
    mixed = 0.9 * np.array([0.9, 0.2]) + 0.1 * labelled.labels
    assert alone[:, 1].tolist() == pytest.approx(mixed.tolist(), abs=1e-6)


def test_unlabelled_reviews_follow_and_have_the_soft_label_alone(tmp_path: Path) -> None:
    teacher = file_of(tmp_path, [0.9, 0.2, 0.5, 0.4])
    labelled, unlabelled = REVIEWS.take(np.array([0, 1])), REVIEWS.take(np.array([3, 2]))
    found = Distillation((teacher,), 0.5, 1.0).targets(labelled, unlabelled, tmp_path / "cache")
    assert found.dtype == np.float32
    assert found[:, 1].tolist() == pytest.approx([0.95, 0.1, 0.4, 0.5], abs=1e-6)
