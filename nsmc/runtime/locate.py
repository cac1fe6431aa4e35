"""Which bundle is meant: a named one, the newest that was trained here, or the one in the box."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nsmc.small_files import read_json

PRETRAINED = Path(__file__).parents[1] / "pretrained"  # the bundle that comes with the package

# In a sweep's folder: which of its runs its report ranks first.
BEST_FILE = "best.json"

# Of files that are meant to be read, not to be classified by their name.
_DATA_EXTENSIONS = (
    *(".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".txt", ".parquet", ".xls", ".xlsx"),
    *(".gz", ".bz2", ".xz", ".zst", ".zip"),
)


def bundle_folder(path: Path) -> Path:
    """The bundle at `path`, which may be a run's folder; raises FileNotFoundError without one.

    `pretrained`, where there is no such folder, is the bundle that comes with the package.
    """
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

    It is the newest one under `outputs`, of a sweep the best one, else the one that comes with the
    package. Raises FileNotFoundError where there is neither.
    """
    try:
        newest = newest_bundle(outputs)
    except FileNotFoundError:
        if (PRETRAINED / "config.json").is_file():
            return PRETRAINED, ""
        raise
    return _best_of_sweep(newest) or (newest, "")


def _best_of_sweep(newest: Path) -> tuple[Path, str] | None:
    """The best bundle of the sweep that the newest one is of, and of what; None without a sweep."""
    sweep = newest.parent.parent
    best = _json_object(sweep / BEST_FILE)
    for run in sweep.iterdir():
        if run.name == best.get("run") and _classifies(run / newest.name):
            return run / newest.name, str(best.get("why", ""))
    return None


def split_words(words: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    """The bundle's folder, where the first word names one, and the texts.

    `pretrained` names the bundle that comes with the package. A first word with a slash and no
    space is taken for a path, so that a mistyped one is refused rather than classified. Raises
    ValueError for a word that names a file, or is called like one of reviews.
    """
    folder, texts = _split(words)
    is_file = folder is not None and folder.is_file()
    is_folder = folder is not None and folder.is_dir()
    for word in texts if is_folder else words:
        if is_file or _is_called_like_data(word):
            raise ValueError(
                f"{word}: a bundle is a folder, and a file of reviews is named with --input {word}"
            )
    return folder, texts


def _split(words: Sequence[str]) -> tuple[Path | None, Sequence[str]]:
    if not words or not words[0].strip():
        return None, words
    if words[0] == "pretrained":
        return Path(words[0]), words[1:]
    if len(words) > 1 and words[0][:1] == "p" and _is_like_pretrained(words[0]):
        raise ValueError(f"{words[0]}: no such bundle; did you mean pretrained?")
    looks_like_path = "/" in words[0] and not any(c.isspace() for c in words[0])
    try:
        path = Path(words[0]).expanduser()
        if looks_like_path or path.exists():
            return path, words[1:]
    except (OSError, ValueError, RuntimeError):  # too long for a path, a NUL, "~" and no such user
        pass
    return None, words


def _is_like_pretrained(word: str) -> bool:
    from difflib import get_close_matches  # which takes its time, and is seldom needed

    return bool(get_close_matches(word, ["pretrained"], cutoff=0.8))


def _is_called_like_data(word: str) -> bool:
    has_space = any(char.isspace() for char in word)
    return word.lower().endswith(_DATA_EXTENSIONS) and not has_space


def newest_bundle(outputs: Path) -> Path:
    """The bundle that was written last, pretrained encoders and unfinished runs aside.

    Raises FileNotFoundError where there is none.
    """
    configs = [
        path
        for path in outputs.glob("**/bundle/config.json")
        # An export's scratch folder begins with a dot.
        if not any(part.startswith(".") for part in path.relative_to(outputs).parts)
    ]
    configs.sort(key=_last_written, reverse=True)
    for path in configs:
        if _classifies(path.parent) and _is_finished(path.parent.parent):
            return path.parent
    raise FileNotFoundError(
        f"there is no bundle under {outputs.absolute()}: name one, or train one with nsmc train"
    )


def _classifies(bundle: Path) -> bool:
    """Whether a bundle's configuration has labels; a damaged one is for the reader to refuse."""
    config = bundle / "config.json"
    return config.is_file() and _json_object(config).get("labels") != []


def _is_finished(run: Path) -> bool:
    """Whether a run's record does not say otherwise; a bundle needs none."""
    return bool(_json_object(run / "run.json").get("status", "finished") == "finished")


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
