"""Every logger gets a run's numbers, settings and charts, and goes on with a resumed one.

MLflow is a real store, searched as its page searches it; W&B writes what it would send.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run, train

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("wandb")


def search(store: str, condition: str) -> list[Any]:
    client = mlflow.tracking.MlflowClient(store)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(ids, condition))


@pytest.mark.filterwarnings("ignore")  # of MLflow's own libraries
def test_mlflow_has_what_its_page_searches_for(corpus: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    settings = ("logger=mlflow", "tags=[baseline]", "notes='the first one'", "model.dropout=0.1")
    place = (f"hydra.run.dir={tmp_path}/run", f"+logger.mlflow.artifact_location={tmp_path}/files")
    train(corpus, *settings, *place, MLFLOW_TRACKING_URI=store)
    (found,) = search(store, "params.`model.dropout` = '0.1' AND tags.baseline = 'true'")
    assert found.info.run_name == "run" and found.info.status == "FINISHED"
    assert found.data.tags["mlflow.note.content"] == "the first one"
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    final = found.data.metrics["result/test/accuracy"]
    assert final == pytest.approx(record["metrics"]["test/accuracy"], abs=1e-6)
    assert search(store, f"metrics.`result/test/accuracy` >= {final - 0.01}")
    names = {path.name for path in (tmp_path / "files").rglob("*")}
    assert any("confusion_matrix" in name for name in names)
    assert any("hardest_reviews" in name for name in names)
    # What is resumed goes on as the same run.
    written = json.dumps(record | {"status": "interrupted"})
    (tmp_path / "run" / "run.json").write_text(written, encoding="utf-8")
    resume = [sys.executable, "train.py", f"resume={tmp_path}/run"]
    assert "logger.mlflow=" in run(resume, expect=1, MLFLOW_TRACKING_URI=store).stderr
    run([*resume, "logger=mlflow", place[1]], MLFLOW_TRACKING_URI=store)
    assert [each.info.run_id for each in search(store, "")] == [found.info.run_id]


@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_what_it_would_send(corpus: Path, tmp_path: Path) -> None:
    settings = ("logger=wandb", "logger.wandb.offline=true", "tags=[baseline]", "notes=first")
    train(corpus, *settings, f"hydra.run.dir={tmp_path}", WANDB_SILENT="true")
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    (events,) = folder.glob("run-*.wandb")
    content = events.read_bytes()
    for text in (b"val/accuracy", b"result/test/accuracy", b"hidden_size", b"baseline", b"first"):
        assert text in content, text
    assert list(folder.rglob("media/images/**/*.png"))


@pytest.mark.filterwarnings("ignore")
def test_of_several_processes_the_first_alone_logs(corpus: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    chosen = ("logger=many", "logger.wandb.offline=true", f"hydra.run.dir={tmp_path}/run")
    place = f"+logger.mlflow.artifact_location={tmp_path}/files"
    together = ("trainer=ddp", "trainer.devices=2", "trainer.max_epochs=1")
    train(corpus, *chosen, place, *together, MLFLOW_TRACKING_URI=store, WANDB_SILENT="true")
    (found,) = search(store, "")
    assert found.info.status == "FINISHED" and "result/test/accuracy" in found.data.metrics
    folder = tmp_path / "run"
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
    assert [path.name for path in folder.glob("csv*")] == ["csv"]
    pids = {path.name.split(".")[-2] for path in folder.glob("events.out.tfevents.*")}
    assert len(pids) == 1


def test_none_and_one_alone(corpus: Path, tmp_path: Path) -> None:
    train(corpus, "logger=csv", f"hydra.run.dir={tmp_path}/csv")
    names = {path.name for path in (tmp_path / "csv").iterdir()}
    assert "csv" in names and not any(name.startswith("events") for name in names)
    train(corpus, "logger=tensorboard", f"hydra.run.dir={tmp_path}/tb", "notes=why")
    names = {path.name for path in (tmp_path / "tb").iterdir()}
    assert "csv" not in names and any(name.startswith("events") for name in names)


def test_any_other_logger_is_a_file_of_the_users(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "logger").mkdir()
    target = "_target_: pytorch_lightning.loggers.TensorBoardLogger"
    (tmp_path / "logger" / "mine.yaml").write_text(f"mine:\n  {target}\n  prefix: mine\n")
    settings = (f"--config-dir={tmp_path}", "logger=mine", f"hydra.run.dir={tmp_path}/run")
    train(corpus, *settings)
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))
    shutil.rmtree(tmp_path / "run")
    finished = train(corpus, *settings, "logger.mine._target_=no.such.Logger", expect=1)
    assert "logger.mine: no.such.Logger: ModuleNotFoundError: no module no.such" in finished.stderr
