"""Objects that a configuration names, as `{_target_: package.module.Class, argument: value}`.

The form is that of Hydra's `instantiate`, which nothing here may import: arguments may be such
mappings themselves, `_args_` is a list of positional ones, and with `_partial_: true` the object is
a function that still takes some.
"""

import functools
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

TARGET = "_target_"


def is_target(value: object) -> bool:
    return isinstance(value, Mapping) and TARGET in value


def targets(value: object, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The outermost targets in a mapping, with the dotted keys that lead to them."""
    if isinstance(value, Mapping):
        if is_target(value):
            yield path, value
            return
        for name, inner in value.items():
            yield from targets(inner, f"{path}.{name}" if path else str(name))


def build(spec: Mapping[str, Any], key: str, of: type[T], *args: Any, **defaults: Any) -> T:
    """The object; `args` go before the arguments of `spec`, and these before `defaults`.

    Raises ValueError, naming `key`, where it cannot be made, or is not of the type `of`.
    """
    name = str(spec[TARGET])
    try:
        built = _built({**defaults, **spec}, args)
    except Exception as error:  # the class is the user's
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{key}: {name}: {reason:.300}") from error
    if not isinstance(built, of):
        raise ValueError(f"{key}: {name}: makes a {type(built).__name__}, not a {of.__name__}")
    return built


def class_of(spec: Mapping[str, Any], key: str) -> Any:
    """What `_target_` names. Raises ValueError, naming `key`, where there is no such thing."""
    try:
        return _found(str(spec[TARGET]))
    except Exception as error:  # the module may be the user's
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{key}: {spec[TARGET]}: {reason:.300}") from error


def _built(value: Any, args: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, list):
        return [_built(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    arguments = {name: _built(item) for name, item in value.items() if name != TARGET}
    if not is_target(value):
        return arguments
    args = (*args, *arguments.pop("_args_", ()))
    target = _found(str(value[TARGET]))
    if arguments.pop("_partial_", False):
        return functools.partial(target, *args, **arguments)
    return target(*args, **arguments)


def _found(name: str) -> Any:
    """A module's attribute, or an attribute's; modules in the working directory are found last."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # which the module itself lacks
            continue
        return functools.reduce(getattr, parts[end:], found)
    raise ModuleNotFoundError(f"no module {'.'.join(parts[:-1])}; PYTHONPATH names more folders")
