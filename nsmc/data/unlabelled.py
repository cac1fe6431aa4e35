"""Makes the file of unlabelled reviews from the archive of the repository that publishes NSMC.

The repository's folder `raw/` has all reviews that were crawled, by film, with their stars. The id
and the text are kept, except of the reviews of the official files and of those whose text, spaces
aside, is in the official test file: nothing of the test may be learnt from a duplicate.
"""

import csv
import gzip
import io
import json
import logging
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from nsmc.atomic import write_file
from nsmc.data.corpus import read_reviews, without_spaces
from nsmc.data.download import download

log = logging.getLogger(__name__)

_DAMAGE = (
    *(tarfile.TarError, zlib.error, EOFError),
    *(ValueError, LookupError, TypeError, AttributeError),  # JSON with other content
)

_MAX_FILM_BYTES = 64 << 20  # far more than any film's reviews take

_CHUNK = 1 << 20  # bytes read at once


def fetch_unlabelled(path: Path, archive_url: str | None, train: Path, test: Path | None) -> None:
    """Make the file of unlabelled reviews, unless it is there.

    Raises FileNotFoundError, naming the ways out, where the archive cannot be fetched, and
    ValueError where it is not NSMC's.
    """
    if path.is_file():
        return
    if archive_url is None:
        raise FileNotFoundError(
            f"{path} is not there; set data.unlabelled=false to do without, or data.unlabelled_file"
        )
    archive = path.with_name(f".{path.name}.tar.gz")
    try:
        download(archive, archive_url, sha256=None)
        write_unlabelled(path, archive, train, test)
    finally:
        archive.unlink(missing_ok=True)


def write_unlabelled(path: Path, archive: Path, train: Path, test: Path | None) -> None:
    """Write the unlabelled reviews of an archive (`.tar.gz`) to `path`, whole or not at all."""
    official = [read_reviews(file) for file in (train, test) if file]
    ids = {review_id for reviews in official for review_id in reviews.ids}
    test_texts = {without_spaces(text) for reviews in official[1:] for text in reviews.texts}
    content = io.StringIO()
    writer = csv.writer(content, delimiter="\t", lineterminator="\n")
    writer.writerow(["id", "document"])
    count = 0
    for review_id, text in _crawled(archive):
        if review_id not in ids and text and without_spaces(text) not in test_texts:
            ids.add(review_id)
            writer.writerow([review_id, text])
            count += 1
    if not count:
        raise ValueError(f"{archive}: no reviews in its folder raw/")
    write_file(path, content.getvalue())
    log.info("%s: %s unlabelled reviews", path, f"{count:,}")


def _crawled(archive: Path) -> Iterator[tuple[str, str]]:
    """The id and the text, on one line, of every review in the archive's folder raw/."""
    try:
        _check_complete(archive)
        with tarfile.open(archive, "r|gz") as files:
            for member in files:
                _, _, path = member.name.partition("/")
                is_film = path.startswith("raw/") and path.endswith(".json") and member.isfile()
                if not is_film or member.size > _MAX_FILM_BYTES:
                    continue
                file = files.extractfile(member)
                assert file is not None
                for review in json.load(file):
                    yield str(review["review_id"]), " ".join((review["review"] or "").split())
    except (*_DAMAGE, OSError) as error:
        details = " ".join(str(error).split())[:80]
        raise ValueError(f"{archive}: not the archive of NSMC's repository ({details})") from None


def _check_complete(archive: Path) -> None:
    """Raises EOFError for an archive that was cut short; tarfile may not notice."""
    with gzip.open(archive) as file:
        while file.read(_CHUNK):
            pass
