"""What is said of a file, and the YAML that trains on it as it was looked at."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra import compose
from omegaconf import OmegaConf

from nsmc.cli.command import main
from nsmc.cli.data_report import inspected
from nsmc.config.composition import CONFIGS
from nsmc.config.hydra_releases import configurations_in
from nsmc.config.schema import check_config
from nsmc.runs.corpus_files import files_of

STARS = ("재밌다,5,b", "별로,1,a", "보통,3,a", "최고의 영화,5,c", "별로,2,b") * 8


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    rows = [f"{number} {row}" for number, row in enumerate(STARS)]
    path = tmp_path / "my reviews.csv"
    path.write_text("\n".join(["리뷰,별점,영화", *rows]), encoding="cp949")
    return path


def test_what_is_not_given_is_guessed_and_what_is_given_counts(reviews: Path) -> None:
    report = inspected(str(reviews), [])
    assert report["columns"] == ["리뷰", "별점", "영화"]
    assert report["guessed"] == {
        **{"encoding": "cp949", "text_column": "리뷰", "label_column": "별점"}
    }
    assert report["labels"] == {"1": 8, "2": 8, "3": 8, "5": 16}
    report = inspected(
        str(reviews), ["data.label_column=영화", "data.label_map={a:x,b:x,c:y}", "data.header=true"]
    )
    assert report["labels"] == {"x": 32, "y": 8}
    assert "label_column" not in report["guessed"]


def test_the_yaml_reads_the_corpus_as_it_was_looked_at(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = inspected(str(reviews), ["data.label_map={1-2:나쁨,3:null,5:좋음}"])
    folder = tmp_path / "configs" / "data"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(report["yaml"], encoding="utf-8")
    with configurations_in(CONFIGS):
        values: Any = OmegaConf.to_container(
            compose("train", ["data=mine", f"hydra.searchpath=[{tmp_path}/configs]"]), resolve=True
        )
    config = check_config(values)
    assert config.data.name == "my_reviews"
    parts = files_of(config).read()
    assert parts["train"].label_names == ("나쁨", "좋음")
    assert sum(map(len, parts.values())) == report["reviews"] == 32


def test_a_file_without_a_header_and_one_of_text_are_known(tmp_path: Path) -> None:
    (tmp_path / "shop.txt").write_text("5\t배송이 빨라요\n1\t별로예요\n" * 9, encoding="utf-8")
    report = inspected(str(tmp_path / "shop.txt"), [])
    assert report["guessed"] == {"header": False, "text_column": "2", "label_column": "1"}
    assert inspected(str(tmp_path / "shop.txt"), ["data=shopping"])["labels"] == {
        **{"negative": 9, "positive": 9}
    }
    (tmp_path / "plain.txt").write_text("한 줄\n두 줄\n", encoding="utf-8")
    report = inspected(str(tmp_path / "plain.txt"), [])
    assert (report["reviews"], report["labels"], report["format"]) == (2, {}, "text")


def test_a_header_that_cannot_be_told_is_said_to_be_assumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    for rows, assumed, said in (
        (["가,나", "다,라"], True, "it is read as one (else header=false)"),
        (["5,나", "1,라"], False, "it is read as a review (else header=true)"),
    ):
        path.write_text("\n".join(rows), encoding="utf-8")
        report = inspected(str(path), [])
        assert (report["unsure"], report["rows"]) == ({"header": assumed}, 2 - assumed)
        assert main(["data", str(path)]) == 0
        assert f"not sure    whether the first line is a header: {said}" in capsys.readouterr().out
        assert main(["data", str(path), f"header={str(assumed).lower()}", "text_column=가"]) != 2
        assert "not sure" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("delimiter", "setting"), [("|", {"delimiter": "|"}), ("\t", {"format": "tsv"})]
)
def test_another_delimiter_is_guessed(
    tmp_path: Path, delimiter: str, setting: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"글 {n}{', 네' * (n % 3)}{delimiter}{n % 2}" for n in range(20)]
    (tmp_path / "a.csv").write_text("\n".join([f"review{delimiter}label", *rows]), "utf-8")
    report = inspected(str(tmp_path / "a.csv"), [])
    assert report["guessed"] == {**setting, "text_column": "review", "label_column": "label"}
    assert report["labels"] == {"0": 10, "1": 10}
    assert main(["data", str(tmp_path / "a.csv")]) == 0
    assert "\t" not in capsys.readouterr().out
    assert main(["data", str(tmp_path / "a.csv"), "delimiter=,"]) in (0, 1)
    assert "\t" not in capsys.readouterr().out


def test_of_two_delimiters_that_fit_both_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["a,b;c", "d,e;1", "f,g;2"]), "utf-8")
    assert inspected(str(tmp_path / "a.csv"), [])["unsure"]["delimiter"] == [",", ";"]
    assert main(["data", str(tmp_path / "a.csv")]) == 0
    said = "not sure    what is between the fields: it is read as ',' (else delimiter=';')"
    assert said in capsys.readouterr().out


def test_labels_that_are_not_expected_are_counted_apart(
    reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(reviews), "label_map={1-2:나쁨,5:좋음}"]) == 0
    said = capsys.readouterr().out
    assert "left out    8 with a label that is not expected: training refuses them; data." in said
    assert "skip_damaged" not in said and "line 4: label '3' is not in data.label_map" in said


def test_only_columns_that_are_given_are_no_guess(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,csv,false\n" + "한 줄 길다,1,x\n둘,2,x\n" * 9, "utf-8")
    report = inspected(str(tmp_path / "a.csv"), ["data.format=csv", "data.skip_damaged=false"])
    assert report["guessed"] == {"text_column": "review", "label_column": "csv"}
    report = inspected(str(tmp_path / "a.csv"), ["data.label_column=review"])
    assert report["guessed"]["text_column"] != "review"


def test_other_parts_are_compared_with_the_training_file(reviews: Path) -> None:
    (reviews.parent / "test.csv").write_text(
        "리뷰,별점\n0 재밌다,5\n새 글,4\n새 글,5\n", encoding="cp949"
    )
    part = inspected(str(reviews), ["data.test_file=test.csv"])["parts"]["test_file"]
    assert (part["reviews"], part["damaged"], part["texts_of_the_training_file"]) == (2, 0, 1)
    assert part["unknown_labels"] == 1
    assert "label '4' is not in the training file" in part["errors"][0]


def test_the_command_prints_the_report_for_people_and_for_programs(
    reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", str(reviews), "label_map={1-3:나쁨,5:좋음}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == {"나쁨": 24, "좋음": 16}
    assert main(["data", str(reviews), "data.label_map={1-3:나쁨,5:좋음}"]) == 0
    said = capsys.readouterr().out
    for line in ("format      csv, cp949", "24  60.0% 나쁨", "1 (8), 2 (8), 3 (8), 5 (16)"):
        assert line in said


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        (["-"], "standard input: it is read several times; write it to a file first"),
        (["{file}", "delimiter=::"], "data.delimiter=::: expected one character"),
        (["header.csv"], "header.csv: no rows"),
        (["empty.json"], "empty.json: no rows"),
        (["notext.csv"], "notext.csv: no reviews; 2 without a text; 1 damaged; line 4: 1 fields"),
        (
            ["{file}", "label_map={{9:x}}"],
            "with a label that is not expected; line 2: label '5' is",
        ),
        (["{file}", "other"], "other: not a setting, KEY=VALUE"),
        (["{file}", "{file}"], "another file? test_file="),
        (["{file}", "labelcolumn=x"], "did you mean data.label_column?"),
        (["{file}", "label_column=x"], "no column 'x' in '리뷰, 별점, 영화'"),
        (["{file}", "encoding=utf-8"], "looks like cp949: read it with data.encoding=cp949"),
        (["{file}", "folds=3"], "data.folds and data.fold are set together"),
        (["{file}", "data=nowhere"], "no such choice"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    reviews: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    Path("header.csv").write_text("text,label\n")
    Path("empty.json").write_text("[]")
    Path("notext.csv").write_text("text,label\n,1\n,0\nx\n")
    assert main(["data", *(word.format(file=reviews) for word in words)]) == 1
    said = capsys.readouterr().err
    assert problem in said and said.count("\n") == 1


def test_a_map_that_training_refuses_is_refused_here_too(
    reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label_map = "label_map={1-2:나쁨,3:null,5:좋음,6-7:최고,8:좋음}"
    assert main(["data", str(reviews), label_map]) == 0
    out = capsys.readouterr().out
    assert "  not used    of data.label_map: 6-7, 8\n" in out
    assert (
        "  training    is refused: no review has the label '최고', which data.label_map has " in out
    )
    assert main(["data", str(reviews)]) == 0
    assert "refused" not in capsys.readouterr().out
