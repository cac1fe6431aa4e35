"""The wheel outside the clone: without torch it classifies at once, and with it, it trains."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nsmc.runtime.locate import PRETRAINED

PROJECT = Path(__file__).parents[2]

# It downloads packages: it runs with the checks that need other programs.
pytestmark = pytest.mark.skipif("NSMC_CLIENTS" not in os.environ, reason="NSMC_CLIENTS is not set")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, so that nothing is left in the project."""
    source = tmp_path_factory.mktemp("source")
    files = ["nsmc", "configs", "hydra_plugins", "pyproject.toml", "README.md", "LICENSE"]
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *files],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in names:
        place = source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((PROJECT / name).read_bytes())
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(source, tmp_path_factory.mktemp("wheel"))


def built(source: Path, target: Path, **environment: str) -> Path:
    """The wheel of a folder or an archive of sources."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--wheel-dir", str(target), str(source)],
        check=True,
        env={**os.environ, **environment},
    )
    return next(target.glob("*.whl"))


def kernels(wheel: Path) -> list[str]:
    """The compiled network in a wheel."""
    with zipfile.ZipFile(wheel) as files:
        return [name for name in files.namelist() if name.startswith("nsmc/runtime/_kernel.abi3")]


def test_the_wheel_carries_a_small_bundle(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        sizes = {info.filename: info.file_size for info in files.infolist()}
    bundled = {name: size for name, size in sizes.items() if name.startswith("nsmc/pretrained/")}
    assert {Path(name).name for name in bundled} == {path.name for path in PRETRAINED.iterdir()}
    assert sum(bundled.values()) < 4_000_000


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no compiler")
def test_the_kernel_is_compiled_from_the_source_distribution(source: Path, tmp_path: Path) -> None:
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    assert kernels(built(next(tmp_path.glob("*.tar.gz")), tmp_path))


def test_without_a_compiler_there_is_a_wheel_all_the_same(source: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(  # without what another build compiled
        source, tmp_path / "source", ignore=shutil.ignore_patterns("build", "*.so")
    )
    assert not kernels(built(copy, tmp_path, CC=str(shutil.which("false"))))


def test_the_wheel_carries_every_module_and_every_choice(source: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        packed = set(files.namelist())
    modules = {path.relative_to(source) for path in source.glob("nsmc/**/*.py")}
    choices = {"nsmc" / path.relative_to(source) for path in source.glob("configs/**/*.yaml")}
    plugins = {path.relative_to(source) for path in source.glob("hydra_plugins/*.py")}
    assert {path.as_posix() for path in modules | choices | plugins} <= packed


def test_it_trains_where_there_is_no_clone(wheel: Path, tmp_path: Path) -> None:
    """With the packages of the environment that runs this, so that torch is not installed anew."""
    bin_folder = tmp_path / "trains" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bin_folder.parent], check=True)
    (packages,) = bin_folder.parent.glob("lib/*/site-packages")
    outside = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "outside.pth").write_text("\n".join(outside), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(bin_folder / "python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", str(wheel)], check=True)

    work = tmp_path / "work"
    (work / "mine" / "model").mkdir(parents=True)
    (work / "mine" / "model" / "tiny.yaml").write_text("defaults: [gru]\nhidden_size: 4\n")

    def nsmc(*words: str) -> str:
        command = [str(bin_folder / "nsmc"), *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        finished = subprocess.run(
            command, cwd=work, check=False, capture_output=True, text=True, env=environment
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    small = ["--config-dir=mine", "data=sample", "model=tiny", "trainer.accelerator=cpu"]
    short = ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    assert "nsmc train" in nsmc("train", *small, *short)  # what it advises to do next
    (record,) = (work / "outputs" / "runs").glob("*/run.json")
    assert json.loads(record.read_text(encoding="utf-8"))["config"]["model"]["hidden_size"] == 4
    assert nsmc("predict", "재미있는 영화군요").endswith("재미있는 영화군요\n")
    # The plan is made by the plugin of Hydra's.
    plan = nsmc("train", "-m", *small, *short, "seed=1,2", "sweep.dry_run=true")
    assert "2 jobs: 2 new" in plan


def test_a_bare_environment_answers_at_once(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "bare")], check=True)
    python = tmp_path / "bare" / "bin" / "python"
    constraints = {**os.environ, "PIP_CONSTRAINT": str(PROJECT / "constraints.txt")}
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, str(wheel)], check=True, env=constraints)
    installed = subprocess.run(
        [str(python), "-m", "pip", "list"], check=True, capture_output=True, text=True
    ).stdout
    assert "torch" not in installed and "pandas" not in installed
    command = [str(tmp_path / "bare" / "bin" / "nsmc"), "predict", "재미있는 영화군요", "시간 낭비"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert [line.split("\t")[0] for line in answer.stdout.splitlines()] == ["positive", "negative"]
    assert "using" in answer.stderr
    train = subprocess.run([*command[:1], "train"], capture_output=True, text=True, cwd=tmp_path)
    assert train.returncode == 1
    assert 'needs the extra "train"' in train.stderr and train.stderr.count("\n") == 1
    code = "from nsmc import Predictor; print(Predictor.load()(['정말 최고예요'])[0].label)"
    answer = subprocess.run(
        [str(python), "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.stdout.strip() == "positive"
