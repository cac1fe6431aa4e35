"""The arguments of Lightning's Trainer: which there are, what they may hold, and which are refused.

They are read off the Trainer's source, as importing it takes seconds, which the answer to a typing
error should not. So an argument that a later version of Lightning adds is a key of the section
`trainer`, too.
"""

import ast
import functools
import importlib.util
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

# What this program decides itself, and where a user says it instead.
REFUSED = {
    "callbacks": "your own go into callbacks.extra",
    "logger": "choose with logger=NAME; one of your own is a file FOLDER/logger/NAME.yaml",
    "default_root_dir": "a run has one folder, which hydra.run.dir chooses",
    "enable_checkpointing": "resuming a run, and its bundle, need the checkpoints",
    "barebones": "it turns off the checkpoints that resuming a run, and its bundle, need",
    "plugins": "the run's own write checkpoints whole and know Slurm; see also trainer.precision",
    "use_distributed_sampler": "the run's own sampler deals the reviews out to the processes",
}

_PLAIN: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "None": None}


class Argument(NamedTuple):
    """The types that an argument takes, of those that YAML has, and its default."""

    types: tuple[Any, ...]
    default: Any

    @property
    def annotation(self) -> Any:
        return functools.reduce(operator.or_, self.types)

    def takes(self, value: object) -> bool:
        """Whether the value is of one of the types; a whole number is a number, too."""
        types = [*self.types, *([int] if float in self.types else [])]
        return any(_is_of(value, each) for each in types)


def _is_of(value: object, annotation: Any) -> bool:
    if annotation is None or isinstance(annotation, type):
        return type(value) is (annotation or type(None))
    return value == "warn" if annotation == Literal["warn"] else isinstance(value, dict)


@functools.cache
def trainer_arguments() -> dict[str, Argument]:
    """The arguments by name, without those that are refused or take only objects."""
    written = _written_arguments()
    arguments = {}
    for name, default in zip(written.kwonlyargs, written.kw_defaults, strict=True):
        types = tuple(_types(name.annotation)) if name.annotation else ()
        if name.arg not in REFUSED and {*types} - {None} and default is not None:
            arguments[name.arg] = Argument(types, ast.literal_eval(default))
    return arguments


def argument_names() -> tuple[str, ...]:
    """All arguments, those that are refused among them."""
    return tuple(argument.arg for argument in _written_arguments().kwonlyargs)


def _written_arguments() -> ast.arguments:
    package = importlib.util.find_spec("pytorch_lightning")
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "trainer" / "trainer.py"
    source = path.read_text(encoding="utf-8")
    start = source.index("def __init__(", source.index("class Trainer"))
    end = source.index(") -> None:", start)  # the rest of the file takes long to parse
    (function,) = ast.parse(f"{source[start:end]}): pass").body
    assert isinstance(function, ast.FunctionDef)
    return function.args


def _types(annotation: ast.expr) -> Iterator[Any]:
    """Those types of an annotation that YAML has: of `str | Profiler | None`, two."""
    match annotation:
        case ast.Constant(value=None):
            yield None
        case ast.Name(id="_LITERAL_WARN"):
            yield Literal["warn"]
        case ast.Name(id=name) if name in _PLAIN:
            yield _PLAIN[name]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            yield from _types(inner)
            yield None
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=members)):
            for member in members:
                yield from _types(member)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _types(left)
            yield from _types(right)
        case ast.Subscript(value=ast.Name(id="dict")):
            yield dict[str, int]
