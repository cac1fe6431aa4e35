"""The design's rule of who may import whom, read off the source."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "nsmc"
WINGS = ("data", "training", "runtime", "experiments")

# What every wing stands on: about files in general, with nothing but the standard library.
GROUND = {"atomic", "small_files", "streams", "terminal", "termination"}

# A wing may import itself, the ground, and these.
ALLOWED = {
    "runtime": set[str](),
    "data": {"runtime"},  # a teacher is a bundle
    "training": {"data", "runtime"},
    "experiments": {"data", "training", "runtime"},
}
LIGHT = {"nsmc", "numpy", "tokenizers", "safetensors"}


def imported_modules(path: Path) -> set[str]:
    """Every module that a file imports, inside functions included."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports are absolute here"
            modules.add(node.module)
    return modules


def files_of(wing: str) -> list[Path]:
    return sorted((PACKAGE / wing).glob("*.py"))


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_only_the_wings_before_it(wing: str) -> None:
    for path in files_of(wing):
        wings = {name.split(".")[1] for name in imported_modules(path) if name.startswith("nsmc.")}
        assert wings - {wing} - GROUND <= ALLOWED[wing], path


@pytest.mark.parametrize("name", sorted(GROUND))
def test_the_ground_imports_the_standard_library_alone(name: str) -> None:
    modules = imported_modules(PACKAGE / f"{name}.py") - {f"nsmc.{name}" for name in GROUND}
    assert {module.split(".")[0] for module in modules} <= set(sys.stdlib_module_names)


def test_the_runtime_imports_no_training_library() -> None:
    for path in [*files_of("runtime"), PACKAGE / "cli.py", PACKAGE / "__init__.py"]:
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert roots <= LIGHT | set(sys.stdlib_module_names), path


def test_hydra_stops_at_the_experiments() -> None:
    for wing in ("data", "training", "runtime"):
        for path in files_of(wing):
            roots = {name.split(".")[0] for name in imported_modules(path)}
            assert not roots & {"hydra", "omegaconf"}, path


def test_no_two_test_files_have_one_name() -> None:
    """Without __init__.py files pytest would take one for the other."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
