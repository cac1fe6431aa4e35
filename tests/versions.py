"""A few fast end-to-end tests with other versions: `python -m tests.versions lowest hydra newest`.

- lowest: of everything, the lowest version that pyproject.toml declares
- newest: of everything, the newest, without pins
- hydra: the candidate of Hydra 1.4, over the environment of the Python that runs this

The first two get an environment of 6 GB each in .venv-versions, which is removed afterwards.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[1]
FOLDER = PROJECT / ".venv-versions"

HYDRA = ("hydra-core==1.4.0rc3", "omegaconf==2.4.1rc1")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
SHOWN = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "omegaconf", "tokenizers")

# With Hydra, others would say what the pinned versions say already.
OF_HYDRA = [
    "tests/config/test_composition.py",
    "tests/config/test_errors.py",
    "tests/sweeps/test_grid.py",
    "tests/test_sweeps.py::test_a_search_tries_prunes_and_goes_on",
    "tests/test_sweeps.py::test_a_sweep_leaves_a_folder_for_each_job_and_a_report",
    "tests/test_sweeps.py::test_jobs_run_in_parallel_with_the_threads_divided",
    "tests/test_sweeps.py::test_jobs_run_on_a_cluster",
    "tests/test_train.py::test_a_run_goes_on_from_a_checkpoint",
    "tests/test_train.py::test_a_run_leaves_all_that_it_promises",
]
TESTS = [
    *OF_HYDRA,
    "tests/cli/test_cli_predict.py",
    "tests/conversion/test_convert.py",
    "tests/runs/test_linear_job.py",
    "tests/runs/test_loggers.py",
    "tests/test_forkserver.py",
    "tests/test_resuming.py::test_a_rerun_is_the_same_to_the_bit",
    "tests/test_resuming.py::test_a_signal_ends_a_run_that_then_goes_on",
]


def main(names: list[str]) -> int:
    failed = [name for name in names if not _passes(name)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _passes(name: str) -> bool:
    environment = _with_hydra if name == "hydra" else _resolved
    with environment(name) as (python, variables):
        _show(name, python, variables)
        tests = OF_HYDRA if name == "hydra" else TESTS
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *tests]
        if name == "lowest":  # of what newer packages say to older ones
            command += ["-W", "ignore::DeprecationWarning"]
        return subprocess.run(command, cwd=PROJECT, env={**os.environ, **variables}).returncode == 0


@contextmanager
def _with_hydra(name: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    folder = FOLDER / name
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([*pip, "--no-deps", "--target", str(folder), *HYDRA], check=True)
        yield sys.executable, {"PYTHONPATH": str(folder)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _resolved(name: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    folder = FOLDER / name
    uv = [sys.executable, "-m", "uv", "--quiet"]
    python = folder / "bin" / "python"
    try:
        subprocess.run(
            [*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True
        )
        install = [*uv, "pip", "install", "--python", str(python), "--editable", ".[dev]"]
        subprocess.run([*install, "--resolution", RESOLUTIONS[name]], cwd=PROJECT, check=True)
        yield str(python), {}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _show(name: str, python: str, variables: Mapping[str, str]) -> None:
    code = "import sys; from importlib.metadata import version as v\n"
    code += "print(*(f'{name} {v(name)}' for name in sys.argv[2:]), sep=', ')"
    print(f"{name}:", end=" ", flush=True)
    command = [python, "-c", code, name, *SHOWN]
    subprocess.run(command, env={**os.environ, **variables}, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*RESOLUTIONS, "hydra"]))
