"""`make install` with interpreters of many kinds; nothing is installed, programs stand for them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

# Says that it is of another version, and makes an environment of itself.
INTERPRETER = """#!{python}
import shutil, sys, types
from pathlib import Path
sys.version_info = {version}
sys.modules["pip"] = types.ModuleType("pip")
if sys.argv[1] == "-c":
    exec(sys.argv[2])
elif sys.argv[1:3] == ["-m", "venv"]:
    folder = Path(sys.argv[-1], "bin")
    if not folder.exists():
        folder.mkdir(parents=True)
        shutil.copy(__file__, folder / "python")
        (folder / "pip").write_text("#!/bin/sh\\n")
        (folder / "pip").chmod(0o755)
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the Makefile's target depends on, and interpreters on a PATH of their own."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt", "nsmc/runtime/kernel/module.c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "path").mkdir()
    versions = {"python3": (3, 11, 4), "python3.10": (3, 10, 13), "python3.12": (3, 12, 1)}
    versions["python2"] = (2, 7, 18)
    for name, version in versions.items():
        program = tmp_path / "path" / name
        program.write_text(INTERPRETER.format(python=sys.executable, version=version))
        program.chmod(0o755)
    return tmp_path


def make(clone: Path, *words: str, expect: int = 0, **environment: str) -> str:
    """Run make; what it says on standard error."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    inherited.pop("PYTHON", None)
    inherited["PATH"] = f"{clone / 'path'}{os.pathsep}{inherited['PATH']}"
    finished = subprocess.run(
        ["make", *words],
        cwd=clone,
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )
    assert (finished.returncode != 0) == bool(expect), finished.stderr
    return finished.stderr


def version_in(clone: Path) -> str:
    """The version of the environment's Python."""
    program = [str(clone / ".venv/bin/python"), "-c", "print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("name", "version"), [("python3.10", "3.10.13"), ("python2", "2.7.18")])
def test_a_python_that_is_too_old_is_named_and_nothing_is_made(
    clone: Path, name: str, version: str
) -> None:
    said = make(clone, "install", f"PYTHON={name}", expect=2)
    assert said.splitlines()[0] == (f"Python 3.11 or newer is needed; PYTHON={name} is {version}")
    assert not (clone / ".venv").exists()
    # It takes no environment away that is good.
    make(clone, "install")
    make(clone, "install", expect=2, PYTHON=name)
    assert version_in(clone) == "3.11"


def test_a_python_that_is_not_there_is_named(clone: Path) -> None:
    said = make(clone, "install", "PYTHON=python9", expect=2)
    assert said.splitlines()[0] == "PYTHON=python9: no such program"


def test_an_environment_of_another_version_is_made_anew(clone: Path) -> None:
    old = [str(clone / "path/python3.10"), "-m", "venv", str(clone / ".venv")]
    subprocess.run(old, check=True)
    (clone / ".venv/installed").touch()
    assert version_in(clone) == "3.10"
    make(clone, "install")
    assert version_in(clone) == "3.11"
    make(clone, "install", "PYTHON=python3.12")
    assert version_in(clone) == "3.12"
    # Where none is asked for, the one that is there will do, also when there is more to install.
    stamp = (clone / ".venv/installed").stat().st_mtime_ns
    make(clone, "install")
    assert (clone / ".venv/installed").stat().st_mtime_ns == stamp
    future = (clone / ".venv/installed").stat().st_mtime + 100
    os.utime(clone / "pyproject.toml", (future, future))
    make(clone, "install")
    assert version_in(clone) == "3.12"
    assert (clone / ".venv/installed").stat().st_mtime_ns > stamp


def test_an_environment_whose_python_has_gone_is_made_anew(clone: Path) -> None:
    make(clone, "install")
    (clone / ".venv/bin/python").unlink()
    make(clone, "install")
    assert version_in(clone) == "3.11"
