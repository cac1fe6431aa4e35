"""The rows of a corpus that a run's kept answers are about, for who compares runs."""

from collections import Counter
from pathlib import Path

from nsmc.comparison.answers import as_ids
from nsmc.config.schema import DataConfig
from nsmc.data.corpus import CorpusForm
from nsmc.reading.rows import Row, open_rows
from nsmc.runs.corpus_files import corpus_fingerprint
from nsmc.runs.foreign import recorded_data, with_own_files
from nsmc.runs.record import RECORD_FILE, Record, final_step_config, load_record


def run_folder(path: Path) -> Path:
    """The run's folder, also where its bundle is named."""
    is_bundle = path.name == "bundle" and (path.parent / RECORD_FILE).is_file()
    return path.parent if is_bundle else path


def run_record(folder: Path) -> Record:
    """The record of a finished run; raises FileNotFoundError or ValueError for another folder."""
    try:
        record = load_record(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{folder}: not a run's folder, {RECORD_FILE} is missing; bundles are compared on a "
            "file, with --input"
        ) from None
    if record.get("status") != "finished":
        raise ValueError(f"{folder}: the run has not finished")
    return record


def rows_of(folder: Path, record: Record, part: str) -> dict[bytes, Row]:
    """The rows of the file that the part val or test is from, by the ids of kept answers.

    All their columns are among `others`. A row whose id another one has is left out. Nothing is
    fetched. Raises OSError or ValueError, in one line, where the corpus is not there any more, or
    is another one.
    """
    data = recorded_data(folder, final_step_config(record))
    data = with_own_files(data.model_copy(update={"unlabelled": False}), None)
    if corpus_fingerprint(data, test=False) != record.get("corpus_fingerprint"):
        raise ValueError(f"{data.root} does not hold the corpus of {folder} any more")
    name, prefix = _file_of(data, part)
    return _by_id(Path(data.root, name), data.form, prefix)


def _file_of(data: DataConfig, part: str) -> tuple[str, str]:
    """The part's file, and how ids of its rows begin that have none of their own."""
    own = data.validation_file if part == "val" else data.test_file
    return (own, f"{part} ") if own else (data.train_file, "")


def _by_id(path: Path, form: CorpusForm, prefix: str) -> dict[bytes, Row]:
    with open_rows(str(path), form.file_format, others=True) as opened:
        rows = list(opened.with_all_columns())
    ids = [row.id or f"{prefix}{number}" for number, row in enumerate(rows, start=1)]
    count = Counter(ids)
    keys = as_ids(ids).tolist()
    return {key: row for key, name, row in zip(keys, ids, rows, strict=True) if count[name] == 1}
