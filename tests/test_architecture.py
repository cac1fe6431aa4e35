"""The design's rules of who may import whom and how large a room may be, read off the source."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "nsmc"

# What every room stands on: about files in general, with nothing but the standard library.
GROUND = {"atomic", "extras", "small_files", "terminal", "termination"}

LIGHT_ROOMS = ("reading", "runtime", "comparison")

# A room may import itself, the ground, and these.
ALLOWED = {
    "reading": set[str](),
    "runtime": {"reading"},
    "conversion": {"runtime", "reading"},
    "serving": {"conversion", "runtime"},
    "comparison": {"runtime", "reading"},
    "data": {"comparison", "runtime", "reading"},  # a teacher is a bundle
    "training": {"data", "comparison", "runtime", "reading"},
    "config": {"training", "data", "runtime", "reading"},
    "reports": {"config", "training", "data", "comparison", "runtime"},
    # Conversion for recipes that end in several bundles, merged.
    "runs": {"config", "training", "data", "conversion", "comparison", "runtime", "reading"},
    "sweeps": {"runs", "reports", "config", "training", "data", "runtime"},
    "cli": {
        *("sweeps", "runs", "reports", "config", "training", "data", "conversion"),
        "serving",
        *LIGHT_ROOMS,
    },
}
# Of the command, what needs the extra `train`; all else is for people who only classify.
TRAINING_COMMANDS = {
    *("compare.py", "data.py", "data_report.py", "hydra_task.py", "lr.py", "rerun.py"),
    "report.py",
}
LIGHT = {"nsmc", "numpy", "tokenizers", "safetensors"}
LARGEST = 0.25  # of the code


def imported_modules(path: Path) -> set[str]:
    """Every module that a file imports, inside functions included."""
    return set(_imported(ast.walk(ast.parse(path.read_text(encoding="utf-8"))), path))


def _imported(nodes: Iterator[ast.AST], path: Path) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: imports are absolute here"
            yield node.module
            # `from nsmc.runs import rerun` imports a module, too.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1]


def test_every_folder_is_a_room() -> None:
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*/*.py")}
    assert folders == ALLOWED.keys()


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_the_rooms_before_it(room: str) -> None:
    for path in files_of(room):
        rooms = {room_of(name) for name in imported_modules(path) if name.startswith("nsmc.")}
        assert rooms & ALLOWED.keys() - {room} <= ALLOWED[room], path


@pytest.mark.parametrize("room", ALLOWED)
def test_no_room_is_a_quarter_of_the_code(room: str) -> None:
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in PACKAGE.rglob("*.py")}
    assert sum(lines[path] for path in files_of(room)) <= LARGEST * sum(lines.values())


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    graph = {
        name: imported_modules(path) & modules.keys() - {name} for name, path in modules.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", sorted(GROUND))
def test_the_ground_imports_the_standard_library_alone(name: str) -> None:
    roots = {
        module.split(".")[0]
        for module in imported_modules(PACKAGE / f"{name}.py")
        if not module.startswith(tuple(f"nsmc.{name}" for name in GROUND)) and module != "nsmc"
    }
    assert roots <= set(sys.stdlib_module_names)


def test_the_runtime_imports_no_training_library() -> None:
    for path in [*files_of("runtime"), *files_of("comparison"), PACKAGE / "__init__.py"]:
        roots = {name.split(".")[0] for name in imported_modules(path)}
        allowed = LIGHT | ({"kiwipiepy"} if path.name == "morphemes.py" else set())
        assert roots <= allowed | set(sys.stdlib_module_names), path


def test_reading_imports_the_standard_library_and_for_parquet_pyarrow() -> None:
    for path in files_of("reading"):
        roots = {name.split(".")[0] for name in imported_modules(path)}
        allowed = {"nsmc", "pyarrow"} if path.name == "parquet.py" else {"nsmc"}
        assert roots <= allowed | set(sys.stdlib_module_names), path


def test_the_commands_that_only_classify_import_no_training_library() -> None:
    assert {path.name for path in files_of("cli")} >= TRAINING_COMMANDS
    for path in files_of("cli"):
        if path.name not in TRAINING_COMMANDS:
            modules = imported_modules(path)
            rooms = {room_of(name) for name in modules if name.startswith("nsmc.")}
            assert rooms & ALLOWED.keys() <= {"cli", "conversion", "serving", *LIGHT_ROOMS}, path
            roots = {name.split(".")[0] for name in modules}
            assert roots <= {"nsmc"} | set(sys.stdlib_module_names), path


def test_hydra_stops_at_the_configuration() -> None:
    for room in ("reading", "data", "training", "runtime", "reports", "conversion", "runs"):
        # What the YAML files ask of runs, Hydra calls.
        for path in {*files_of(room)} - {PACKAGE / "runs" / "resolvers.py"}:
            roots = {name.split(".")[0] for name in imported_modules(path)}
            assert not roots & {"hydra", "omegaconf"}, path


def test_no_two_test_files_have_one_name() -> None:
    """Without __init__.py files pytest would take one for the other."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
