"""Opens the database that a search's trials are in: a file, or a server's by its URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna.storages import RDBStorage
from sqlalchemy import column, func, select, table
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, ProgrammingError
from sqlalchemy.pool import NullPool

from nsmc.config.search import ENVIRONMENT
from nsmc.extras import needs_extra
from nsmc.sweeps.study_file import SECONDS_TO_LOCK, check_file

_PSYCOPG = "postgresql+psycopg"
_SECONDS_TO_CONNECT = 30
_ATTEMPTS = 3  # at making tables, which another process may be making


def url_of(storage: str) -> URL:
    """The URL itself, which no message shows: it may have a password.

    Raises ValueError for what is no URL, and where its driver is missing.
    """
    text, said = storage, "search.storage"
    if storage.startswith(ENVIRONMENT):
        said = storage.removeprefix(ENVIRONMENT)
        text = os.environ.get(said, "")
        if not text:
            raise ValueError(f"search.storage={storage}: the variable {said} is not set")
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise ValueError(f"{said}: no URL of a database, postgresql://USER@HOST/NAME") from None
    except ImportError as error:
        raise ValueError(f"{said}: needs pip install {error.name}") from None
    if url.get_backend_name() == "sqlite" and (not url.database or url.query):
        raise ValueError(f"{said}: no file; write sqlite:////PATH")
    _check_driver(_with_driver(url))
    return url


def _with_driver(url: URL) -> URL:
    """With the driver that the extra has, where the URL names none of PostgreSQL's."""
    return url.set(drivername=_PSYCOPG) if url.drivername == "postgresql" else url


def _check_driver(url: URL) -> None:
    try:
        url.get_dialect().import_dbapi()
    except ImportError as error:
        if url.drivername == _PSYCOPG:
            raise ValueError(needs_extra("search.storage=postgresql://…", "postgresql")) from None
        raise ValueError(
            f"search.storage={url.drivername}://…: its driver is missing ({error}); install a "
            "driver of this database, or name another one before ://"
        ) from None


def is_file(url: URL) -> bool:
    """Whether it names a file, and no server."""
    return url.get_backend_name() == "sqlite"


def of_file(path: Path) -> RDBStorage:
    """The study's database in a file; raises ValueError for a file that is no search's."""
    check_file(path)
    # SQLAlchemy escapes what would end a path, such as a question mark, and what Optuna would fill
    # in, such as braces.
    url = URL.create("sqlite", database=str(path.absolute()))
    return _storage(url, {"connect_args": {"timeout": SECONDS_TO_LOCK}})


def of_server(url: URL) -> RDBStorage:
    """A server's database; raises what the server raises."""
    url = _with_driver(url)
    # A connection is not kept: trainings are long, and servers may be started anew.
    engine_kwargs: dict[str, Any] = {"poolclass": NullPool}
    if url.get_backend_name() == "postgresql":
        engine_kwargs["connect_args"] = {"connect_timeout": _SECONDS_TO_CONNECT}
    for _ in range(_ATTEMPTS):
        with suppress(IntegrityError, ProgrammingError):
            return _storage(url, engine_kwargs)
    return _storage(url, engine_kwargs)


def _storage(url: URL, engine_kwargs: dict[str, Any]) -> RDBStorage:
    return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=engine_kwargs)


@contextmanager
def row_locked(rdb: RDBStorage, study_name: str, key: str) -> Iterator[None]:
    """Hold the lock of one of the study's attributes; it ends with the process."""
    attributes = table("study_user_attributes", column("study_id"), column("key"))
    row = select(attributes.c.key).where(
        attributes.c.study_id == rdb.get_study_id_from_name(study_name),
        attributes.c.key == key,
    )
    with rdb.engine.begin() as connection:
        connection.execute(row.with_for_update()).all()
        yield


def time_of(rdb: RDBStorage) -> float:
    """The server's time in seconds: clocks of machines differ."""
    with rdb.engine.connect() as connection:
        now = connection.scalar(select(func.current_timestamp()))
    assert isinstance(now, datetime)
    return (now if now.tzinfo else now.replace(tzinfo=UTC)).timestamp()
