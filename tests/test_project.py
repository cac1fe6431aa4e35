"""What the files around the code say agrees with the code and with one another."""

import tomllib
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_s_packages_are_the_folders_with_code() -> None:
    folders = {path.parent.relative_to(PROJECT) for path in PROJECT.glob("nsmc/**/*.py")}
    packages = {".".join(folder.parts) for folder in folders} | {"hydra_plugins", "nsmc.configs"}
    assert pyproject()["tool"]["setuptools"]["packages"] == sorted(packages)


def test_hydra_s_shell_completion_finds_what_it_looks_for_in_train_py() -> None:
    assert "@hydra.main" in (PROJECT / "train.py").read_text(encoding="utf-8")


def test_pre_commit_runs_the_ruff_that_the_constraints_pin() -> None:
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    revisions = {Path(each["repo"]).name: each.get("rev") for each in config["repos"]}
    pins = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (ruff,) = [line.partition("==")[2] for line in pins if line.startswith("ruff==")]
    assert revisions == {"ruff-pre-commit": f"v{ruff}", "local": None}


def test_every_python_that_is_promised_is_tested() -> None:
    workflow = (PROJECT / ".github/workflows/checks.yml").read_text(encoding="utf-8")
    tested = yaml.safe_load(workflow)["jobs"]["tests"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    classifiers = pyproject()["project"]["classifiers"]
    assert [f"{prefix}{version.partition('.')[2]}" for version in tested] == [
        each for each in classifiers if each.startswith(prefix)
    ]
    assert pyproject()["project"]["requires-python"] == f">={tested[0]}"
