"""The files of a run's corpus, by its configuration: where they are, and what they hold.

Their content says which corpus it is, wherever it is and whatever it is called.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from nsmc.config.schema import DataConfig, RunConfig
from nsmc.data.cache import digest_of_file
from nsmc.data.download import RemoteFile, are_published, check_root
from nsmc.data.files import CorpusFiles, fingerprint_of
from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE
from nsmc.runtime.loading import read_config
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.morphemes import check_analyser

log = logging.getLogger(__name__)

_FILES = ("root", "train_file", "test_file", "validation_file", "remote_files")

Fingerprint = Callable[[DataConfig, bool], str]


def files_of(run: RunConfig) -> CorpusFiles:
    """Where the files are, with those that are published.

    A linear classifier learns from the labelled reviews alone: where there are no others, there are
    merely fewer soft labels.
    """
    data = run.data
    # None where the files are somebody's own, to which no archive belongs.
    archive = data.own_archive if _has_published_files(data) else None
    unlabelled = data.unlabelled_file if data.unlabelled else None
    if unlabelled and run.task == "linear" and archive is None:
        unlabelled = unlabelled if Path(data.root, unlabelled).is_file() else None
    return CorpusFiles(
        root=Path(data.root),
        train_file=data.train_file,
        test_file=data.test_file,
        validation_file=data.validation_file,
        form=data.form,
        split=data.split,
        remote_files=_remote_files(data),
        unlabelled_file=unlabelled,
        unlabelled_archive=archive,
        needs_test=run.test,
        classifier=run.task != "pretrain",
    )


def _remote_files(data: DataConfig) -> dict[str, RemoteFile]:
    published = (data.remote_files or {}).items()
    return {name: RemoteFile(file.url, file.sha256) for name, file in published}


def _has_published_files(data: DataConfig) -> bool:
    """Whether no file of the corpus is another one than is published under its name."""
    return are_published(Path(data.root), _remote_files(data))


def corpus_name(data: DataConfig) -> str:
    """What the model card calls the corpus."""
    return data.name if _has_published_files(data) else f"{data.name}, with other files"


def tokenizer_file(config: RunConfig) -> Path | None:
    """The tokenizer that is used instead of training one.

    Raises FileNotFoundError without one, and ValueError for that of a bundle which reads morphemes
    where this run does not, or the other way round, or those of another version of Kiwi.
    """
    source = config.data.tokenizer or config.init_from
    if source is None:
        return None
    path = Path(source)
    if path.is_file():
        return path
    folder = bundle_folder(path)
    theirs = read_config(folder / CONFIG_FILE).morphemes
    reads_morphemes = theirs is not None
    key = "data.tokenizer" if config.data.tokenizer else "init_from"
    if reads_morphemes != config.data.morphemes:
        reads = "morphemes" if reads_morphemes else "texts, not morphemes"
        wanted = str(reads_morphemes).lower()
        raise ValueError(f"{key}={source}: reads {reads}; set data.morphemes={wanted}")
    if theirs is not None:
        try:
            check_analyser(theirs)
        except ValueError as error:
            raise ValueError(f"{key}={source}: {error}") from None
    return folder / TOKENIZER_FILE


def check_files(config: DataConfig, test: bool) -> None:
    """Check that the files are there or published.

    Without a `test` the test file may be missing. Raises FileNotFoundError for a file that is
    needed, and NotADirectoryError where data.root is a file.
    """
    check_root(Path(config.root))
    ways_out = {config.train_file: "set data.root"}
    if config.validation_file:
        ways_out[config.validation_file] = "set data.root or data.validation_file"
    if test and config.test_file:
        ways_out[config.test_file] = "set data.root, or test=false to do without a test"
    for name, way_out in ways_out.items():
        path = Path(config.root, name)
        if not path.exists() and name not in (config.remote_files or {}):
            raise FileNotFoundError(f"{path} is not there; {way_out}")


def corpus_fingerprint(config: DataConfig, test: bool) -> str:
    """The digest of the corpus's files, of those to be downloaded as they are published.

    A test file that is there counts also without a `test`. Raises what `check_files` raises.
    """
    check_files(config, test)
    train = _digest(config, config.train_file)
    assert train is not None
    return fingerprint_of(
        train, _digest(config, config.test_file), _digest(config, config.validation_file)
    )


def remembered_fingerprint() -> Fingerprint:
    """`corpus_fingerprint` that reads a corpus once, however many runs have it."""
    fingerprints: dict[str, str] = {}

    def fingerprint(config: DataConfig, test: bool) -> str:
        files = config.model_dump(include=set(_FILES))
        key = repr([files, test])
        if key not in fingerprints:
            fingerprints[key] = corpus_fingerprint(config, test)
        return fingerprints[key]

    return fingerprint


def training_fingerprint(config: DataConfig) -> str | None:
    """The fingerprint of the training file alone; None without one."""
    train = _digest(config, config.train_file)
    return None if train is None else fingerprint_of(train, None)


def warn_of_own_test(config: DataConfig) -> None:
    """Warn where the test file has the content of the training file."""
    if config.test_file and _digest(config, config.train_file) == _digest(config, config.test_file):
        log.warning(
            "data.test_file=%s has the same content as data.train_file=%s: what is measured on it "
            "says nothing about other reviews",
            *(config.test_file, config.train_file),
        )


def _digest(config: DataConfig, name: str | None) -> str | None:
    if name is None:
        return None
    path, remote = Path(config.root, name), (config.remote_files or {}).get(name)
    if path.exists():
        return digest_of_file(path)
    return None if remote is None else remote.sha256
