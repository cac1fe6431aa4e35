"""tokenizer=morphemes from training to answers, and as a teacher of a student that needs none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nsmc.runtime.loading import read_bundle
from nsmc.runtime.locate import PRETRAINED
from nsmc.runtime.morphemes import analyser_versions
from nsmc.runtime.predictor import Predictor
from tests.commands import run, train, write_corpus

KIND = ("tokenizer=morphemes", "data.vocab_size=300")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def teacher(corpus: Path) -> tuple[Path, str]:
    """The folder of a run, and what it said."""
    folder = corpus / "Teacher"
    said = train(corpus, *KIND, f"hydra.run.dir={folder}", "trainer.max_epochs=6").stderr
    return folder, said


@pytest.fixture(scope="module")
def student(corpus: Path, teacher: tuple[Path, str]) -> tuple[Path, str]:
    """The same of a run that the teacher taught."""
    folder = corpus / "student"
    said = train(corpus, f"distill.teachers=[{teacher[0]}]", f"hydra.run.dir={folder}").stderr
    return folder, said


def test_a_classifier_reads_morphemes_and_says_so(teacher: tuple[Path, str]) -> None:
    folder, said = teacher
    assert said.count("analysing the morphemes of 30 reviews") == 1
    bundle = read_bundle(folder / "bundle")
    assert bundle.config.morphemes == analyser_versions()
    assert bundle.config.format_version == 2
    assert not (folder / "bundle" / "tokenizer_config.json").exists()
    card = (folder / "bundle" / "README.md").read_text("utf-8")
    assert f"morphemes, by | kiwipiepy {analyser_versions()['kiwipiepy']}" in card
    assert "(Apache-2.0; the extra `morphemes`)" in card
    predictor = Predictor(bundle)
    assert [each.label for each in predictor(["정말 재밌다 최고", "너무 지루하다"])] == [
        "positive",
        "negative",
    ]
    # Spaces are Kiwi's own, so how a text is spaced out changes nothing.
    assert predictor.encode(["너무  지루하다\n"]) == predictor.encode([" 너무 지루하다"])
    assert predictor.explain("정말 재밌다").words[0].text.startswith("정말")


def test_the_analysis_is_kept_for_runs_that_read_the_same_texts(
    corpus: Path, teacher: tuple[Path, str]
) -> None:
    linear = ("task=linear", "linear.units=words", "linear.ngram_max=2", *KIND)
    said = train(corpus, *linear, f"hydra.run.dir={corpus}/linear").stderr
    assert "analysing" not in said and "fitting 30 reviews" in said
    record = json.loads((corpus / "linear" / "run.json").read_text())
    assert record["metrics"]["val/accuracy"] == 1


def test_a_student_of_it_needs_no_morphemes(student: tuple[Path, str]) -> None:
    folder, said = student
    assert "the teacher: validation accuracy" in said and "analysing" not in said
    config = json.loads((folder / "bundle" / "config.json").read_text())
    assert config["format_version"] == 1 and "morphemes" not in config


def test_a_student_of_it_says_what_it_learnt_from(
    corpus: Path, teacher: tuple[Path, str], student: tuple[Path, str], tmp_path: Path
) -> None:
    versions = {name: [number] for name, number in analyser_versions().items()}
    of_one = {"count": 1, "with_morphemes": 1, "morphemes": versions, "unknown": 0}
    assert read_bundle(student[0] / "bundle").config.teachers == of_one
    # What the student's own teachers read, and what a run of task=linear did, is known, too.
    train(corpus, "task=linear", *KIND, f"hydra.run.dir={corpus}/counts", "linear.units=words")
    answers = shutil.copy(corpus / "counts" / "soft_labels.tsv", tmp_path / "answers.tsv")
    teachers = f"[{student[0]},{corpus}/counts,{answers},pretrained]"
    folder = corpus / "grandchild"
    train(corpus, f"distill.teachers={teachers}", f"hydra.run.dir={folder}")
    theirs = read_bundle(PRETRAINED).config.teachers  # the package's bundle had such teachers, too
    assert theirs
    both = {name: sorted({*found, *theirs["morphemes"][name]}) for name, found in versions.items()}
    of_four = {"count": 4, "with_morphemes": 3, "morphemes": both, "unknown": 1}
    assert read_bundle(folder / "bundle").config.teachers == of_four
    _nsmc(0, "convert", folder, "--to", "int8", "--output", tmp_path / "int8")
    for bundle in (folder / "bundle", tmp_path / "int8"):
        card = " ".join((bundle / "README.md").read_text("utf-8").split())
        kiwi = f"kiwipiepy {analyser_versions()['kiwipiepy']} and kiwipiepy_model"
        assert "from the soft labels of 4 teachers (3 with morphemes, 1 unknown). A" in card
        assert kiwi in card and "The network itself reads the text, and needs none of it" in card
        words = [sys.executable, "-m", "nsmc.cli", "info", str(bundle)]
        shown = run(words).stdout
        assert "4 teachers (3 with morphemes, 1 unknown)" in shown and f"by {kiwi}" in shown


@pytest.mark.parametrize("form", ["onnx", "html"])
def test_forms_that_cannot_make_morphemes_refuse_it(
    teacher: tuple[Path, str], form: str, tmp_path: Path
) -> None:
    said = _nsmc(1, "convert", teacher[0], "--to", form, "--output", tmp_path / f"x.{form}")
    assert "reads morphemes, which" in said and not [*tmp_path.iterdir()]


def test_other_weights_still_read_morphemes(teacher: tuple[Path, str], tmp_path: Path) -> None:
    _nsmc(0, "convert", teacher[0], "--to", "int8", "--output", tmp_path / "int8")
    assert read_bundle(tmp_path / "int8").config.morphemes == analyser_versions()
    assert not (tmp_path / "int8" / "tokenizer_config.json").exists()


def test_info_says_what_is_read(teacher: tuple[Path, str]) -> None:
    words = [sys.executable, "-m", "nsmc.cli", "info", str(teacher[0])]
    versions = analyser_versions()
    assert (
        f"tokens of a review's morphemes, by kiwipiepy {versions['kiwipiepy']}" in run(words).stdout
    )
    assert json.loads(run([*words, "--json"]).stdout)["morphemes"] == versions


def test_a_run_of_another_kind_does_not_start_from_it(
    corpus: Path, teacher: tuple[Path, str], student: tuple[Path, str]
) -> None:
    said = train(corpus, f"init_from={teacher[0]}", expect=1).stderr
    assert said.strip().endswith(f"{teacher[0]}: reads morphemes; set data.morphemes=true")
    other = student[0] / "bundle"
    said = train(corpus, f"init_from={other}", *KIND, expect=1).stderr
    assert said.strip().endswith("reads texts, not morphemes; set data.morphemes=false")


def test_a_run_does_not_start_from_the_morphemes_of_another_version(
    corpus: Path, teacher: tuple[Path, str], tmp_path: Path
) -> None:
    copy = shutil.copytree(teacher[0] / "bundle", tmp_path / "bundle")
    config = json.loads((copy / "config.json").read_text())
    versions = {"kiwipiepy": "0.1", "kiwipiepy_model": "0.1"}
    (copy / "config.json").write_text(json.dumps(config | {"morphemes": versions}))
    said = train(corpus, f"init_from={copy}", *KIND, expect=1).stderr
    assert f"init_from={copy}: its morphemes are those of other versions" in said


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"morphemes": {"kiwipiepy": "0.1", "kiwipiepy_model": "0.1"}}, "pip install kiwipiepy==0"),
        ({"morphemes": ["kiwi"]}, "config.json: morphemes is ['kiwi']; expected the versions of"),
        ({"morphemes": None}, "config.json: morphemes is None; expected the versions of"),
        ({"format_version": 1}, "config.json: morphemes"),
    ],
)
def test_a_bundle_with_other_morphemes_is_refused(
    teacher: tuple[Path, str], changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    copy = shutil.copytree(teacher[0] / "bundle", tmp_path / "bundle")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | changes))
    assert problem in _nsmc(1, "predict", copy, "영화")


def _nsmc(expect: int, *arguments: str | Path) -> str:
    """What the command said on standard error."""
    words = [sys.executable, "-m", "nsmc.cli", *map(str, arguments)]
    finished: subprocess.CompletedProcess[str] = run(words, expect)
    assert "Traceback" not in finished.stderr
    return finished.stderr
