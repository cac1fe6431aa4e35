"""Ends a program in one line where a user can mend what went wrong.

HYDRA_FULL_ERROR=1 asks for the traceback instead.
"""

import difflib
import logging
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError

from nsmc.atomic import refusal
from nsmc.config.commands import train_command
from nsmc.config.overrides import NOT_A_SETTING, quoted
from nsmc.config.schema import KEYS
from nsmc.terminal import harmless
from nsmc.termination import exception_arrived, leave
from nsmc.training.signals import Interrupted
from nsmc.training.slurm import REQUEUE_SIGNAL, requeue

log = logging.getLogger(__name__)

# Hydra prints its errors itself, over several lines, unless this variable makes it raise them.
_TRACEBACKS = "HYDRA_FULL_ERROR"
_SET_HERE = "NSMC_ONE_LINE_ERRORS"  # so that child processes can tell our wish from the user's

# What torch says where a tensor does not fit, on the CPU and on a GPU.
_NO_MEMORY = re.compile("can't allocate memory|out of memory")


@contextmanager
def one_line_errors(folder: Path | None = None, in_sweep: bool = False) -> Iterator[None]:
    """Turn an exception into one line on standard error and exit code 1.

    After Ctrl-C and SIGTERM the codes are 130 and 143. Where a user's mistake ends a run before it
    has written anything to its `folder`, the folder that Hydra has made for it is removed.

    `in_sweep`, the line is printed and the exception passed on: Hydra then continues with the next
    job, and raises it again at the end.
    """
    if os.environ.get(_TRACEBACKS) == "1" and _SET_HERE not in os.environ:
        yield
        return
    os.environ[_TRACEBACKS] = os.environ[_SET_HERE] = "1"
    try:
        yield
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (KeyboardInterrupt, Interrupted) as error:
        exception_arrived()
        if in_sweep:
            raise
        interruption = error if isinstance(error, Interrupted) else Interrupted(signal.SIGINT)
        _print_error(": ".join(filter(None, ["interrupted", interruption.advice])))
        if interruption.signum == REQUEUE_SIGNAL:
            requeue()
        leave(interruption.exit_code)
    except Exception as error:
        _print_error(f"error: {describe(error)}")
        if not _users_mistake(error):
            _traceback_to_log_file()
        if in_sweep:
            # Another process may hand it on, which not every exception survives.
            raise RuntimeError(describe(error)) from None
        if folder and _users_mistake(error):
            _remove_unused(folder)
        sys.exit(1)


def describe(error: BaseException) -> str:
    """What is wrong, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, HydraException):
        return _describe_composition(error, text)
    if isinstance(error, MarkedYAMLError):
        return _describe_yaml(error)
    text = re.sub(r"^\w+ raised while resolving interpolation: ", "", text)
    if isinstance(error, OmegaConfBaseException):
        return _describe_key_of_yaml(text) or text.partition(" full_key:")[0]
    if isinstance(error, OSError) and (line := refusal(error, error.filename or _run_folder())):
        return line
    if isinstance(error, FileExistsError | NotADirectoryError) and error.filename:
        return f"{error.filename}: there is a file where a folder is needed; choose another folder"
    if _users_mistake(error):
        return text
    if isinstance(error, MemoryError) or _NO_MEMORY.search(text):
        return f"not enough memory: lower data.batch_size or the model's sizes ({text[:120]})"
    return f"{type(error).__name__}: {text} ({_TRACEBACKS}=1 shows where)"


def _describe_yaml(error: MarkedYAMLError) -> str:
    mark, problem = error.problem_mark, error.problem or "cannot be read"
    place = f"{mark.name}, line {mark.line + 1}" if mark else "a file of the configuration"
    if twice := re.fullmatch("found duplicate key (.+)", problem):
        return f"{place}: {twice[1]!r} is there twice"
    return f"{place}: no YAML: {problem}"


def _describe_key_of_yaml(text: str) -> str | None:
    """Says what is wrong with a key of a table, if that is what the text is about."""
    if no_key := re.search(r"'NoneType' full_key: (\S+)", text):
        return f"{no_key[1]}: null, or ~, is no key; text is written in quotes, 'null'"
    if twice := re.match(r"Conflicting integer and string keys: (\d+) .*full_key: (\S+)\.", text):
        return f"{twice[2]}: {twice[1]!r} is there twice"
    return None


def _run_folder() -> str:
    """The log's folder, for errors that name no file."""
    return next((str(Path(log.baseFilename).parent) for log in _log_files()), "the run's folder")


def _describe_composition(error: HydraException, text: str) -> str:
    if isinstance(error, OverrideParseException):
        return _describe_override(error.override, text)
    if wrong_key := re.search(r"(?:Could not override|delete from config\.) '([^']+)'", text):
        return _describe_key(wrong_key[1], error)
    if wrong_choice := re.search(
        r"Could not find '(.+)' Available options in '[^']+': ?(.*)", text
    ):
        options = wrong_choice[2].partition(" Config search path")[0].split()
        return _describe_choice(wrong_choice[1], options)
    if several := re.match(r"Ambiguous value for argument '(.+)' 1\.", text):
        key, _, values = several[1].partition("=")
        return f"{several[1]}: {_for_sweeps()}; a list is written {key}=[{values}]"
    if sweep := re.match("Sweep parameters '(.+)' requires --multirun", text):
        return f"{sweep[1]}: {_for_sweeps()}"
    if not_merged := re.match(r"Error merging override (.+)|In '(.+?)': (\w+ raised .*)", text):
        reason = not_merged[3] or describe(error.__cause__ or error)
        if re.search("Cannot merge (DictConfig with ListConfig|incompatible container)", reason):
            reason = "a list cannot take the place of keys, {KEY: VALUE}, nor keys that of a list"
        return f"{not_merged[1] or not_merged[2]}: {reason.partition(' full_key:')[0]}"
    of_key = _describe_key_of_yaml(" ".join(str(error.__cause__).split()))
    return of_key or text.partition(" See https://hydra.cc")[0]


def _for_sweeps() -> str:
    return f"several values are for a sweep, {train_command()} -m …"


def _describe_key(key: str, error: HydraException) -> str:
    """Says that the configuration lacks a key; another architecture may have it."""
    section = getattr(error.__cause__, "parent_node", None)
    if key.startswith("hydra.") and isinstance(section, Mapping):
        return _describe_hydras_key(str(getattr(error.__cause__, "full_key", None) or key), section)
    if key in KEYS and isinstance(section, Mapping) and "architecture" in section:
        return f"{key}: not a setting of model={section['architecture']}"
    return KEYS.unknown(key)


def _describe_hydras_key(key: str, section: Mapping[Any, Any]) -> str:
    """Says that a section of Hydra's own settings lacks a key, and which ones it has."""
    place, _, name = key.rpartition(".")
    names = [str(known) for known in section if not str(known).startswith("_")]
    if close := difflib.get_close_matches(name, names, n=1):
        return f"{key}: no such key; did you mean {place}.{close[0]}?"
    return f"{key}: no such key; {place} has {', '.join(names)}"


def _describe_override(override: str, text: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return f"{override}: {NOT_A_SETTING}"
    if not re.fullmatch(r"[~+]*[\w$./@-]+", key, re.ASCII):
        return KEYS.unknown(key)
    if wrong_call := re.search(r"while evaluating '.+': (.+?)( See https|$)", text):
        return f"{override}: {wrong_call[1]}"
    as_text = shlex.quote(f"{key}={quoted(value)}")
    return f"{override}: cannot be read; text is written {as_text}"


def _describe_choice(wrong: str, options: Sequence[str]) -> str:
    """Says that a group, such as data in data/mine, has no such choice."""
    group, choice = re.findall(r"((?:hydra/)?[^/]*)/?(.*)", wrong)[0]
    line = f"{group}={choice}: no such choice; there are {', '.join(options)}"
    if group == "data" and re.search(r"[/\\.~]", choice):
        return (
            f"{line}; for files of your own set data=folder data.root=FOLDER data.train_file=NAME "
            "data.test_file=NAME, or write FOLDER/data/NAME.yaml and add --config-dir FOLDER"
        )
    return line


def _users_mistake(error: BaseException) -> bool:
    """Whether the message says all that a user needs; other exceptions may be bugs."""
    kinds = ValueError | OSError | HydraException | OmegaConfBaseException | MarkedYAMLError
    return isinstance(error, kinds)


def _traceback_to_log_file() -> None:
    """Keep the traceback of the exception being handled, without printing it."""
    record = log.makeRecord(log.name, logging.ERROR, __file__, 0, "", (), sys.exc_info())
    for handler in _log_files():
        handler.emit(record)


def _remove_unused(folder: Path) -> None:
    """Remove a run's folder with nothing in it but what Hydra writes."""
    logs = [Path(log.baseFilename) for log in _log_files()]
    hydras = [folder / ".hydra" / f"{name}.yaml" for name in ("config", "hydra", "overrides")]
    with suppress(OSError):
        if {*folder.iterdir()} <= {folder / ".hydra", *logs}:
            for path in (*hydras, *logs):
                path.unlink(missing_ok=True)
            for path in (folder / ".hydra", folder):
                path.rmdir()


def _log_files() -> list[logging.FileHandler]:
    handlers = logging.getLogger().handlers
    return [handler for handler in handlers if isinstance(handler, logging.FileHandler)]


def _print_error(line: str) -> None:
    line = harmless(line)  # it may quote a file, a folder's name or a record
    if logging.getLogger().handlers:  # Hydra has set up the run's log: the line goes there, too
        log.error(line)
    else:
        print(line, file=sys.stderr)
