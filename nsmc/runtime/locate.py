"""Which bundle is meant: a named one, the newest that was trained here, or the package's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nsmc.small_files import read_json

PRETRAINED = Path(__file__).parents[1] / "pretrained"  # the bundle that comes with the package

# In a sweep's folder: which run its report ranks first.
BEST_FILE = "best.json"

# What a sweep or a search has in its folder before its report.
_OF_SWEEPS = ("multirun.yaml", "search.db")
_GOES_ON = "a sweep that has not ended: nsmc report names its best"
_DEBUGGING = "debug"  # the folder of what debug=… ran

# A word that ends so is a file to be read, not a text to be classified.
_DATA_EXTENSIONS = (
    *(".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".txt", ".parquet", ".xls", ".xlsx"),
    *(".gz", ".bz2", ".xz", ".zst", ".zip"),
)


def is_hub_name(path: str | Path) -> bool:
    """Whether it names a bundle on a hub, hf://…; a path has lost one of the slashes."""
    return f"{path}/".startswith("hf:/")


def bundle_folder(path: Path) -> Path:
    """The bundle at `path`, which may be a run's folder; raises FileNotFoundError without one.

    `pretrained`, where there is no such folder, is the bundle that comes with the package. One on
    a hub is fetched; see `hub_bundle` for what that raises.
    """
    if is_hub_name(path):
        from nsmc.runtime.hub import hub_bundle  # which imports what speaks HTTP

        return hub_bundle(path)
    if path == Path("pretrained") and not path.exists():
        path = PRETRAINED
    for folder in (path, path / "bundle"):
        if (folder / "config.json").is_file():
            return folder
    if not path.is_dir():
        problem = "a file" if path.exists() else "no such folder"
        raise FileNotFoundError(f"{path}: {problem}; a bundle is a folder")
    raise FileNotFoundError(f"{path}: not a bundle, config.json is missing")


def chosen_bundle(outputs: Path) -> tuple[Path, str]:
    """The bundle to take where none is named, and why; "" where that is plain.

    It is the newest one under `outputs`, or the best one of the newest's sweep, else the one that
    comes with the package. Raises FileNotFoundError where there is neither.
    """
    try:
        newest = newest_bundle(outputs)
    except FileNotFoundError:
        if (PRETRAINED / "config.json").is_file():
            return PRETRAINED, ""
        raise
    sweep = newest.parent.parent
    best = _json_object(sweep / BEST_FILE)
    for run in sweep.iterdir():
        if run.name == best.get("run") and _classifies(run / newest.name):
            why = str(best.get("why", ""))
            is_outdated = _last_written(sweep / BEST_FILE) < _last_written(newest / "config.json")
            return run / newest.name, f"{why}, {_GOES_ON}" if is_outdated else why
    if any((sweep / name).is_file() for name in _OF_SWEEPS):
        return newest, f"the newest of {sweep.name}, {_GOES_ON}"
    return newest, ""


def newest_bundle(outputs: Path) -> Path:
    """The bundle that was written last.

    Pretrained encoders, unfinished runs and those that debugged do not count.

    Raises FileNotFoundError where there is none.
    """
    configs = [
        path
        for path in outputs.glob("**/bundle/config.json")
        if not _is_aside(path.relative_to(outputs))
    ]
    for path in sorted(configs, key=_last_written, reverse=True):
        # A bundle needs no record of a run.
        status = _json_object(path.parents[1] / "run.json").get("status", "finished")
        if status == "finished" and _classifies(path.parent):
            return path.parent
    raise FileNotFoundError(
        f"there is no bundle under {outputs.absolute()}: name one, or train one with nsmc train"
    )


def split_words(words: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    """The bundle's folder, where the first word names one, and the texts.

    A first word with a slash and no space is taken for a path, so that a mistyped one is refused
    rather than classified. Raises ValueError for a word that is or looks like a file of reviews.
    """
    folder, texts = _split(words)
    is_file = folder is not None and folder.is_file()
    for word in texts if folder is not None and folder.is_dir() else words:
        has_space = any(char.isspace() for char in word)
        if is_file or (word.lower().endswith(_DATA_EXTENSIONS) and not has_space):
            raise ValueError(
                f"{word}: a bundle is a folder, and a file of reviews is named with --input {word}"
            )
    return folder, texts


def _split(words: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    if not words or not words[0].strip():
        return None, words
    first, *others = words
    if first == "pretrained":
        return Path(first), others
    if others and first[0] == "p":
        from difflib import get_close_matches  # which takes its time, and is seldom needed

        if get_close_matches(first, ["pretrained"], cutoff=0.8):
            raise ValueError(f"{first}: no such bundle; did you mean pretrained?")
    looks_like_path = "/" in first and not any(char.isspace() for char in first)
    try:
        path = Path(first).expanduser()
        if looks_like_path or path.exists():
            return path, others
    except (OSError, ValueError, RuntimeError):  # too long for a path, a NUL, "~" and no such user
        pass
    return None, words


def _is_aside(path: Path) -> bool:
    """Whether it is of a run that debugged, or of an export's scratch folder."""
    return path.parts[0] == _DEBUGGING or any(part.startswith(".") for part in path.parts)


def _classifies(bundle: Path) -> bool:
    """Whether a bundle's configuration has labels; a damaged one is for the reader to refuse."""
    config = bundle / "config.json"
    return config.is_file() and _json_object(config).get("labels") != []


def _json_object(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where there is none that can be read."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _last_written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed in the meantime, or a link to nothing
        return 0
