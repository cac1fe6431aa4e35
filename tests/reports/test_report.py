"""`nsmc report` as a whole: the files it writes, what it prints, and every way it can end."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from nsmc.cli import main
from nsmc.reports.charts import NAMES
from nsmc.reports.report import write_report
from tests.reports.factories import record, write, write_many

PNG = b"\x89PNG\r\n\x1a\n"
CHARTS = {f"{name}.png" for name in NAMES} - {"importance.png"}
TABLES = {"leaderboard.csv", "leaderboard.md", "report.html"}


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_report_is_a_table_charts_and_a_page(tmp_path: Path) -> None:
    write_many(tmp_path / "runs", 60)
    before = dict(mpl.rcParams)
    importances = tmp_path / "runs" / "importances.json"
    importances.write_text('{"model.lr": 0.7, "seed": 0.3}')
    shown = write_report([tmp_path / "runs"], tmp_path / "out")
    assert dict(mpl.rcParams) == before
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )
    assert files_in(tmp_path / "out") == {*CHARTS, *TABLES, "importance.png"}
    for name in (*CHARTS, "importance.png"):
        content = (tmp_path / "out" / name).read_bytes()
        assert content.startswith(PNG) and content.endswith(b"IEND\xaeB`\x82")
    lines = shown.splitlines()
    assert lines[0].split()[:2] == ["rank", "architecture"]
    assert "53 finished runs of 20 settings, highest val/accuracy first" in shown
    assert "2 runs pruned by the search" in shown
    assert re.search(r"^  failed       \S+: CUDA out of memory: 2.1 GiB$", shown, re.MULTILINE)
    report, best = lines[-2:]
    assert report.startswith(f"report  {tmp_path / 'out' / 'report.html'}")
    assert re.fullmatch(rf"best    {tmp_path}/runs/\w+_seed-\d", best)
    # Without importances, an earlier report's chart of them goes.
    importances.unlink()
    write_report([tmp_path / "runs"], tmp_path / "out")
    assert "importance.png" not in files_in(tmp_path / "out")


def test_without_a_finished_run_there_is_still_a_page(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "0", {**record(), "status": "failed", "error": "out of memory"})
    shown = write_report([tmp_path / "runs"])
    assert files_in(tmp_path / "runs") == TABLES
    assert "0 finished runs" in shown and "out of memory" in shown
    assert '<table class="leaderboard' not in (tmp_path / "runs" / "report.html").read_text(
        encoding="utf-8"
    )


def test_a_report_over_several_tasks_has_a_table_and_charts_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    curve = [{"epoch": 1, "val/loss": 7.0, "val/accuracy": 0.8, "train/loss": 7.2}]
    write(tmp_path / "gru", {**record(0.8), "history": curve})
    model = {**record(None, task="pretrain"), "metrics": {"val/loss": 7.0}, "history": curve}
    model["config"]["callbacks"]["checkpoint"]["monitor"] = "val/loss"
    write(tmp_path / "model", model)
    shown = write_report([tmp_path]).splitlines()
    assert shown[0] == "Neural classifiers:" and shown[4] == "Language models:"
    assert shown[6].split()[:3] == ["1", "1", "7.0000"]
    assert shown[8:11] == [
        "Neural classifiers: 1 finished run of 1 setting, highest val/accuracy first",
        "Language models: 1 finished run of 1 setting, lowest val/loss first",
        "± is the standard deviation over runs",
    ]
    assert "Without a result:" not in shown
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<table") == 2
    assert "<h2>Neural classifiers</h2>" in page and "<h2>Language models</h2>" in page
    charts = {"metric_by_epoch.png", "train_loss_by_epoch.png"}  # one run each: nothing to compare
    assert files_in(tmp_path) == {*TABLES, *charts, *(f"pretrain_{name}" for name in charts)}
    # An earlier report's charts go with their runs.
    (tmp_path / "model" / "run.json").unlink()
    write_report([tmp_path])
    assert files_in(tmp_path) == {*charts, *TABLES}


def test_repeats_and_several_folders_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two"):
        write(tmp_path / folder / "0", record())
    shown = write_report([Path("one"), Path("two")])
    assert "1 repeat of the same job left out: the newest counts" in shown
    report = "report  outputs/report/report.html (and leaderboard.csv, .md, charts)"
    assert shown.splitlines()[-2:] == [report, "best    two/0"]


def test_the_winner_s_bundle_is_named_with_a_command_to_ask_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, accuracy in (("a", 0.7), ("b it", 0.8)):
        write(Path("x") / name, record(accuracy, model__lr=accuracy))
        (Path("x") / name / "bundle").mkdir()
    *_, best, command = write_report([Path("x")]).splitlines()
    assert best == "best    x/b it/bundle"
    assert "nsmc predict 'x/b it/bundle' " in command
    # What classifies nothing is asked nothing.
    pretrained = {**record(0.9), "corpus_fingerprint": "another", "signature": "another"}
    pretrained["config"] |= {"task": "pretrain"}
    (write(Path("x/c"), pretrained) / "bundle").mkdir()
    shown = write_report([Path("x/c")])
    assert shown.endswith("best    x/c/bundle")
    *_, one, other, command = write_report([Path("x")]).splitlines()
    assert {one[:7], other[:7]} == {"best   "} and "x/b it" in command


def test_a_sweep_s_folder_says_which_run_is_its_best(tmp_path: Path) -> None:
    for name, accuracy in (("a", 0.7), ("b it", 0.8)):
        (write(tmp_path / name, record(accuracy, model__lr=accuracy)) / "bundle").mkdir()
    write_report([tmp_path])
    assert not (tmp_path / "best.json").exists()
    write_report([tmp_path], is_sweep=True)
    best = json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))
    assert best == {"run": "b it", "why": "best of 2 settings by val/accuracy"}


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "0", record(0.8))
    write_report([tmp_path])
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    write(tmp_path / "1", record(0.9, model__lr=0.1))

    def refuse(self: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="no space left"):
        write_report([tmp_path])
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


def test_the_command_prints_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "0", record(0.8125))
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    assert "0.8125" in capsys.readouterr().out
    assert files_in(tmp_path / "out") >= TABLES


def test_mistakes_end_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    write(tmp_path / "runs" / "0", record())
    cases = {
        (str(tmp_path / "nowhere"),): "no such folder",
        (str(tmp_path / "empty"),): "no runs in it (no run.json)",
        (str(tmp_path / "runs"), "--output", str(tmp_path / "file")): "File exists",
        (str(tmp_path / "runs"), "--output", str(tmp_path / "file" / "x")): "Not a directory",
    }
    for words, why in cases.items():
        assert main(["report", *words]) == 1
        error = capsys.readouterr().err
        assert error.startswith("nsmc: error: ") and why in error and error.count("\n") == 1


def test_the_base_install_says_what_reports_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("nsmc.reports")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["report", str(tmp_path)]) == 1
    assert 'pip install ".[train]"' in capsys.readouterr().err


def test_a_report_loads_no_torch(tmp_path: Path) -> None:
    write(tmp_path / "0", record())
    program = (
        "import sys; from nsmc.reports.report import write_report; from pathlib import Path; "
        "write_report([Path(sys.argv[1])]); "
        "sys.exit(bool({'torch', 'hydra', 'pandas'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(words, capture_output=True).returncode == 0


def test_folds_count_like_seeds_and_the_report_says_so(tmp_path: Path) -> None:
    folds = [
        record(0.7 + fold / 100, data__folds=3, data__fold=fold, model__lr=lr)
        for lr, count in ((0.1, 3), (0.2, 2))
        for fold in range(count)
    ]
    for number, content in enumerate(folds):
        write(tmp_path / f"{number}", content)
    said = write_report([tmp_path])
    assert "5 finished runs of 2 settings" in said
    assert "runs of the 3 folds of a setting count like those of its seeds" in said
    assert "1 setting without all folds" in said
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "runs of the 3 folds" in page


def test_debug_runs_stand_beside_no_others(tmp_path: Path) -> None:
    tries: dict[str, dict[str, Any]] = {
        "debug": {"debugging": True},
        "overfit": {"trainer__overfit_batches": 3},
        "fast": {"trainer__fast_dev_run": True},
    }
    for name, changes in tries.items():
        write(tmp_path / "tries" / name, record(0.99, **changes))
    write(tmp_path / "outputs" / "debug" / "earlier", record(0.98, model__lr=0.1))
    write(tmp_path / "runs" / "real", record(0.8))
    shown = write_report([tmp_path], tmp_path / "out")
    assert "1 finished run of 1 setting" in shown and "0.99" not in shown and "0.98" not in shown
    assert "4 debug runs left out (debug=…, trainer.fast_dev_run, overfit_batches)" in shown
    # Among themselves they may be compared, as in the report of a sweep of them.
    alone = write_report([tmp_path / "outputs" / "debug"], tmp_path / "out")
    assert "all of these are debug runs" in alone and "0.98" in alone
