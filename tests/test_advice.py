"""What `python train.py` says of a mistake: one line with the key, the value and a way out.

Advice that is given is followed here to its end.
"""

import gzip
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import BAD, GOOD, run, run_anew, train, train_command, write_corpus

SETTINGS = ("trainer.max_epochs=1", "logger=none")


def error_of(corpus: Path, *overrides: str) -> str:
    """The one line that a command fails with."""
    return one_line(train(corpus, *overrides, expect=1).stderr)


def one_line(said: str) -> str:
    assert "Traceback" not in said and "Exception" not in said
    (line,) = [line for line in said.splitlines() if "error" in line]
    return line.partition("error: ")[2]


def test_a_run_without_its_corpus_ends_before_torch_is_imported_and_leaves_no_folder(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from nsmc.cli.hydra_task import train\n"
        "try: train(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)"
    )
    folder = f"hydra.run.dir={tmp_path}/run"
    for override, message in (
        ("data.root=/nowhere", "/nowhere/ratings_train.txt is not there; set data.root"),
        ("model.lr=0", "model.lr=0: must be greater than 0"),
    ):
        command = [sys.executable, "-c", code, "data=folder", "data.root=x", override, folder]
        finished = run_anew(command, 1)
        assert message in finished.stderr and finished.stdout == "False\n"
        assert [*tmp_path.iterdir()] == []


def record(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.swap_batches=4", "no such key; python train.py --cfg job shows all"),
        ("~data", "~data: no run can do without data; leave ~data out"),
        (
            "data=/x/reviews.csv",
            "data=/x/reviews.csv: no such choice; there are files, folder, nsmc",
        ),
        ("data=말뭉치", "data=말뭉치: no such choice; there are files, folder, nsmc, ratings"),
        (
            "data.labels=[a,b,c]",
            "becomes 'negative', which is not one of data.labels ('a',",
        ),
        ("data.labels=부정", "data.labels=부정: must be a list, [VALUE,VALUE]"),
        ("trainer.gradient_clip_val=None", "must be a number, or null (which None is written as)"),
        ("init_from=None", "init_from=None: must be text, or null (which None is written as)"),
        ("model.lr='0.01'", "model.lr='0.01': must be a number; in quotes it is text, so leave"),
        ("model.hidden_size=64.0", "model.hidden_size=64.0: must be a whole number: 64"),
        ("seed=1,2", "seed=1,2: several values are for a sweep, python train.py -m …"),
        ("seed=range(1,3)", "seed=range(1,3): several values are for a sweep"),
        ("seed=choise(1,2)", "seed=choise(1,2): Unknown function 'choise'"),
        ("search.space={가:1}", "cannot be read; text is written"),
        ("모델.lr=1", "모델.lr: no such key; did you mean model.lr?"),
        ("hydra.sweeper.params={seed:[1]}", "values of seed are for many runs: python train.py -m"),
        ("resume=실행/없음", "resume=실행/없음: there is no run in that folder"),
        ("init_from=~/없음 (1)", "없음 (1): no such folder"),
        ("data.root=/가,/나", "/가,/나/ratings_train.txt is not there; set data.root"),
    ],
)
def test_a_mistake_is_told_with_a_way_out(corpus: Path, override: str, message: str) -> None:
    assert message in error_of(corpus, "data.remote_files=null", override)


def test_a_corpus_s_folder_that_is_a_file_is_called_one(corpus: Path) -> None:
    file = corpus / "ratings_train.txt"
    for root in (file, file / "inside"):
        assert f"data.root={root}: {file} is a file" in error_of(corpus, f"data.root={root}")


def test_a_run_s_folder_that_is_a_file_is_called_one(corpus: Path) -> None:
    file = corpus / "ratings_train.txt"
    assert f"{file}: there is a file where" in error_of(corpus, f"hydra.run.dir={file}")


def test_a_corpus_and_runs_of_any_name_are_trained_on_found_and_gone_on_with(
    tmp_path: Path,
) -> None:
    root, folder = tmp_path / "말뭉치 (1), a=b & ~c", tmp_path / "실행 [2]"
    root.mkdir()
    write_corpus(root)
    train(root, *SETTINGS, "data.label_map={0:부정,1:긍정}", f"hydra.run.dir={folder}")
    assert record(folder)["config"]["data"]["root"] == str(root)
    assert record(folder)["config"]["data"]["label_map"] == {"0": "부정", "1": "긍정"}
    assert "finished before" in run([sys.executable, "train.py", f"resume={folder}"]).stderr
    # The command in the record is one to be typed.
    words = shlex.split(record(folder)["command"])
    assert f"data.root={root}" in words
    run([sys.executable, *words[1:], f"hydra.run.dir={tmp_path}/다시"])
    assert record(tmp_path / "다시")["metrics"] == record(folder)["metrics"]
    train(root, *SETTINGS, f"init_from={folder}", f"hydra.run.dir={tmp_path}/b")
    assert record(tmp_path / "b")["status"] == "finished"


def test_a_sweep_over_corpora_of_any_name(corpus: Path, tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("가", "나 (1)")]
    for number, root in enumerate(roots):
        root.mkdir()
        write_corpus(root)
        with (root / "ratings_train.txt").open("a", encoding="utf-8") as file:
            file.write(f"99\t또 보자 {number}\t1\n")
    sweep = ("-m", f"hydra.sweep.dir={tmp_path}/s", f"data.root={roots[0]},{roots[1]}", "seed=1")
    train(corpus, *SETTINGS, *sweep)
    records = [record(path.parent) for path in (tmp_path / "s").glob("*/run.json")]
    assert sorted(each["config"]["data"]["root"] for each in records) == sorted(map(str, roots))


def test_a_run_with_another_setting_starts_from_the_weights_as_advised(
    corpus: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "첫째 (1)"
    train(corpus, *SETTINGS, f"hydra.run.dir={folder}")
    resume = [sys.executable, "train.py", f"resume={folder}"]
    advice = one_line(run([*resume, "trainer.max_epochs=2", "model.lr=0.02"], 1).stderr)
    assert advice.startswith("trainer.max_epochs: cannot change in a resumed run")
    start = shlex.split(advice)[-1]
    assert start == f"init_from={folder}"
    train(corpus, *SETTINGS[1:], start, "trainer.max_epochs=2", f"hydra.run.dir={tmp_path}/b")
    assert record(tmp_path / "b")["config"]["init_from"] == str(folder)
    (folder / "bundle" / "config.json").unlink()
    assert one_line(run([*resume, "seed=7"], 1).stderr).endswith("resume= to begin a new one")


def test_a_checkpoint_s_schedule_leads_to_its_run_s_weights(corpus: Path, tmp_path: Path) -> None:
    train(corpus, *SETTINGS, f"hydra.run.dir={tmp_path}/가 나")
    start = f"ckpt_path={tmp_path}/가 나/checkpoints/last.ckpt"
    for changes in (["trainer.max_epochs=2"], ["trainer.max_epochs=2", "model.schedule=constant"]):
        said = error_of(corpus, "logger=none", start, *changes, f"hydra.run.dir={tmp_path}/b")
        advised = shlex.split(said[said.rindex("set ") :])[1]
        assert advised == f"init_from={tmp_path}/가 나"
    train(corpus, "logger=none", advised, *changes, f"hydra.run.dir={tmp_path}/c")
    assert record(tmp_path / "c")["epochs"] == 2


def test_a_checkpoint_measured_otherwise_draws_no_words_of_lightning_s(
    corpus: Path, tmp_path: Path
) -> None:
    settings = (*SETTINGS, "model.schedule=constant")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}/a")
    start = f"ckpt_path={tmp_path}/a/checkpoints/last.ckpt"
    more = ("trainer.max_epochs=2", "callbacks.early_stopping.patience=2")
    monitor = "callbacks.checkpoint.monitor=val/loss"
    finished = train(corpus, *settings, start, *more, monitor, f"hydra.run.dir={tmp_path}/b")
    assert "callbacks used" not in finished.stderr


def test_without_unlabelled_reviews_the_advice_is_to_do_without(
    corpus: Path, tmp_path: Path
) -> None:
    settings = ("experiment=pretrain", "data.unlabelled_archive=null", "logger=none")
    said = error_of(corpus, *settings)
    assert "set data.unlabelled=false to do without" in said
    train(corpus, *settings, "data.unlabelled=false", f"hydra.run.dir={tmp_path}")
    assert record(tmp_path)["status"] == "finished"


def test_a_start_that_does_not_fit_is_refused_before_a_corpus_is_encoded(
    corpus: Path, tmp_path: Path
) -> None:
    settings = (*SETTINGS, f"data.cache_dir={tmp_path}/cache")
    encoder = ("task=pretrain", "callbacks.checkpoint.monitor=val/loss")
    train(corpus, *SETTINGS, *encoder, f"hydra.run.dir={tmp_path}/a")
    start = f"init_from={tmp_path}/a"
    for override, message in (
        ("model.hidden_size=9", "that bundle needs model.hidden_size=8"),
        ("model.embedding_rank=4", "needs model.embedding_rank=null"),
        ("data.tokenizer=pretrained", "its tokens are others; leave out data.tokenizer"),
    ):
        assert message in error_of(corpus, *settings, start, override)
    teacher = f"distill.teachers=[{tmp_path}/a]"
    assert "a language model, which classifies nothing" in error_of(corpus, *settings, teacher)
    sweep = ("-m", f"hydra.sweep.dir={tmp_path}/s", "model.hidden_size=9,10", start)
    assert "model.hidden_size=8" in train(corpus, *settings, *sweep, expect=1).stderr
    assert not (tmp_path / "cache").exists() and not (tmp_path / "s").exists()


def test_auto_without_a_run_to_go_on_with_says_that_a_new_one_begins(
    corpus: Path, tmp_path: Path
) -> None:
    finished = train(corpus, *SETTINGS, "resume=auto", f"hydra.run.dir={tmp_path}/a")
    assert finished.stderr.count("resume=auto: no unfinished run is like this one; a new") == 1
    assert record(tmp_path / "a")["status"] == "finished"


def test_a_run_that_goes_on_with_another_corpus_is_told_so(corpus: Path, tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    write_corpus(root)
    train(root, *SETTINGS, f"hydra.run.dir={tmp_path}/a")
    with (root / "ratings_train.txt").open("a", encoding="utf-8") as file:
        file.write("99\t또\t1\n")
    said = one_line(run([sys.executable, "train.py", f"resume={tmp_path}/a"], 1).stderr)
    assert "is not what it was when the run began" in said and "hydra.run.dir" not in said


def test_hydra_s_working_directory_changes_no_path(corpus: Path, tmp_path: Path) -> None:
    """`hydra.job.chdir=true` alone would look for the corpus in the run's folder."""
    root = Path("..", *[".."] * 9, str(corpus).removeprefix("/"))
    command = train_command(root, *SETTINGS, f"hydra.run.dir={tmp_path}/a", "hydra.job.chdir=true")
    run(command)
    assert record(tmp_path / "a")["status"] == "finished"
    assert not (tmp_path / "a" / "outputs").exists()


@pytest.mark.parametrize(
    ("choice", "is_logged"),
    [
        (("hydra/job_logging=disabled", "hydra/hydra_logging=disabled"), False),
        (("hydra/job_logging=none", "hydra/hydra_logging=none"), False),
        (("hydra/job_logging=none",), True),
        (("hydra/job_logging=stdout", "hydra/hydra_logging=disabled"), True),
    ],
)
def test_hydra_s_own_loggings_work(
    corpus: Path, tmp_path: Path, choice: tuple[str, ...], is_logged: bool
) -> None:
    finished = train(corpus, *SETTINGS, *choice, f"hydra.run.dir={tmp_path}")
    assert ("epoch 1/1" in finished.stdout + finished.stderr) == is_logged
    assert record(tmp_path)["status"] == "finished"
    failed = train(corpus, *choice, "model.lr=abc", expect=1)
    assert "model.lr=abc: must be a number" in failed.stdout + failed.stderr


def test_a_logging_that_is_not_installed_is_no_choice(corpus: Path) -> None:
    said = error_of(corpus, "hydra/job_logging=nowhere")
    assert said.startswith("hydra/job_logging=nowhere: no such choice; there are ")


def test_an_experiment_file_sweeps_over_lists_null_and_text(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n"
        "hydra:\n  sweeper:\n    params:\n"
        '      model.weight_decay: [0.0, 0.004]\n      seed: "1,2"\n'
        "      model.embedding_rank: [null, 4]\n      data.name: [가, '나, 다']\n",
        encoding="utf-8",
    )
    flags = ("-m", "experiment=mine", "sweep.dry_run=true", f"hydra.searchpath=[{tmp_path}]")
    finished = train(corpus, *flags, f"hydra.sweep.dir={tmp_path}/s")
    assert "8 jobs: 8 new" in finished.stdout  # data.name changes no result
    assert (
        "model.weight_decay=0.004" in finished.stdout and "embedding_rank=null" in finished.stdout
    )


def printed_commands(finished: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """The trainings after `Next:`, as words to follow the interpreter; comments are left out."""
    lines = finished.stdout.partition("Next:\n")[2].splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if "train.py" in line]


def follow(words: list[str], root: Path, *overrides: str) -> dict[str, Any]:
    """Run a printed command to its end, with a small model and in a folder of the test's."""
    small = ("trainer.accelerator=cpu", "trainer.max_epochs=1", "logger=none", "data.batch_size=8")
    folder = root / "followed"
    run([sys.executable, *words, *small, f"hydra.run.dir={folder}", *overrides])
    return record(folder)


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    """A folder with a corpus in a form of its own."""
    rows = [f"{text} {n},{label}" for n in range(8) for label, all_ in STARS for text in all_]
    content = "\n".join(["review,stars", *rows]) + "\n"
    (tmp_path / "내 리뷰.csv").write_text(content, encoding="utf-8")
    return tmp_path


STARS = (("1", BAD), ("5", GOOD))
OF_STARS = ("data=files", "data.text_column=review", "data.label_column=stars", "seed=3")


def test_a_student_of_a_linear_classifier_is_trained_as_printed(stars: Path) -> None:
    own = (*OF_STARS, "data.train_file=내 리뷰.csv", "data.label_map={1:나쁨,5:좋음}")
    settings = ("experiment=linear", "linear.min_count=1", f"hydra.run.dir={stars}/a b")
    (words,) = printed_commands(train(stars, *own, *settings))
    assert f"distill.teachers=['{stars}/a b']" in words
    student = follow(words, stars)
    assert student["status"] == "finished" and student["config"]["data"]["split_seed"] == 3
    assert student["config"]["data"]["label_map"] == {"1": "나쁨", "5": "좋음"}


def test_a_student_of_a_teacher_without_a_test_file_has_no_test_either(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    (tmp_path / "ratings_test.txt").unlink()
    own = ("data=folder", "experiment=linear", "linear.min_count=1", f"hydra.run.dir={tmp_path}/a")
    (words,) = printed_commands(train(tmp_path, *own))
    assert {"test=false", "data.unlabelled=false"} <= {*words}
    assert follow(words, tmp_path)["status"] == "finished"


def test_after_a_resumed_run_on_few_reviews_the_small_settings_are_trained_as_printed(
    stars: Path,
) -> None:
    own = (*OF_STARS, "data.train_file=내 리뷰.csv", f"hydra.run.dir={stars}/a", "logger=none")
    train(stars, *own, "trainer.max_epochs=1")
    content = record(stars / "a")
    (stars / "a" / "run.json").write_text(json.dumps({**content, "status": "interrupted"}))
    finished = run([sys.executable, "train.py", f"resume={stars}/a"])
    resumed = record(stars / "a")
    typed = [override for override in content["overrides"] if not override.startswith("hydra.")]
    assert (resumed["resumed"], resumed["overrides"]) == (1, typed)
    assert resumed["command"].startswith("python train.py data.root=")
    (words,) = printed_commands(finished)
    assert "experiment=small" in words and not [
        word for word in words if word.startswith("resume=")
    ]
    assert follow(words, stars)["config"]["callbacks"]["early_stopping"]["patience"] == 4


def test_plain_text_is_pretrained_on_and_a_classifier_starts_from_it_as_printed(
    tmp_path: Path, corpus: Path
) -> None:
    text = "\n".join(f"{text} {number}" for number in range(6) for text in (*GOOD, *BAD))
    with gzip.open(tmp_path / "text.txt.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    own = ("experiment=pretrain", "data=files", "data.train_file=text.txt.gz", "logger=none")
    said = train(tmp_path, *own, expect=1).stderr
    assert "plain text, which has no labels; for task=pretrain set data.label_column=null" in said
    folder = f"hydra.run.dir={tmp_path}/encoder"
    finished = train(tmp_path, *own, "data.label_column=null", folder)
    (words,) = printed_commands(finished)
    assert words == ["train.py", f"init_from={tmp_path}/encoder", "model.hidden_size=8"]
    assert follow(words, tmp_path, f"data.root={corpus}")["status"] == "finished"
