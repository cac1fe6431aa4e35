"""Commands to be pasted into a shell, whatever is in their paths. Loads neither Hydra nor torch."""

import shlex
import shutil
import sys
from pathlib import Path


def predict_command(bundle: Path) -> str:
    """Classifies one review with a bundle."""
    return f'{program("nsmc")} predict {shlex.quote(str(bundle))} "와 진짜 재밌는 영화임미다!!"'


def train_command() -> str:
    """How this user starts a training: `python train.py`, or `nsmc train`."""
    return "python train.py" if is_script() else "nsmc train"


def train_command_here() -> str:
    """The same, with the program's path where the shell would not find it."""
    name, argument = train_command().split()
    return f"{program(name)} {argument}"


def train_words() -> list[str]:
    """The same, to start a process with; in one that a launcher started, too."""
    words = [sys.argv[0]] if is_script() else ["-m", "nsmc.cli", "train"]
    return [sys.executable, *words]


def is_script() -> bool:
    """Whether a clone's `train.py` runs, and not the `nsmc` command or a launcher's process."""
    return Path(sys.argv[0]).name == "train.py"


def program(name: str) -> str:
    """The name alone where the shell would find this environment's program, else its path."""
    path = Path(sys.executable).parent / name
    is_on_path = shutil.which(name) == str(path)
    return name if is_on_path or not path.exists() else shlex.quote(str(relative_path(path)))


def relative_path(path: Path) -> Path:
    """Relative to the working directory where it is inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
