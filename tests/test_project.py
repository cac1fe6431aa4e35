"""What the files around the code say agrees with the code and with one another."""

import tomllib
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_wheel_s_packages_are_the_folders_with_code() -> None:
    folders = {path.parent.relative_to(PROJECT) for path in PROJECT.glob("nsmc/**/*.py")}
    packages = {".".join(folder.parts) for folder in folders} | {"hydra_plugins", "nsmc.configs"}
    assert pyproject()["tool"]["setuptools"]["packages"] == sorted(packages)


def test_hydra_s_shell_completion_finds_what_it_looks_for_in_train_py() -> None:
    assert "@hydra.main" in (PROJECT / "train.py").read_text(encoding="utf-8")
