"""Where the files of a corpus are, and where those that are not there can be downloaded from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nsmc.data.download import RemoteFile, fetch_missing
from nsmc.data.unlabelled import fetch_unlabelled


@dataclass(frozen=True)
class CorpusSource:
    """`train_file`, `test_file` and, if wanted, `unlabelled_file` are names in `root`."""

    root: Path
    train_file: str
    test_file: str
    remote_files: Mapping[str, RemoteFile]
    unlabelled_file: str | None = None
    unlabelled_archive: str | None = None

    @property
    def train(self) -> Path:
        return self.root / self.train_file

    @property
    def test(self) -> Path:
        return self.root / self.test_file

    @property
    def unlabelled(self) -> Path | None:
        return self.root / self.unlabelled_file if self.unlabelled_file else None

    def fetch(self, test: bool) -> None:
        """Download what is missing; the test file only for a `test`.

        Raises what `fetch_missing` and `fetch_unlabelled` raise.
        """
        names = [self.train_file]
        # No text of a published test file may be learnt from, also where nothing is measured on it.
        if test or (self.unlabelled and self.test_file in self.remote_files):
            names.append(self.test_file)
        fetch_missing(self.root, {name: self.remote_files.get(name) for name in names})
        if self.unlabelled is not None:
            fetch_unlabelled(self.unlabelled, self.unlabelled_archive, self.train, self.test)
