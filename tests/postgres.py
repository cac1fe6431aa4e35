"""A PostgreSQL server of the machine's own programs, with a password, that ends with its test."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "nsmc"
_UNPRIVILEGED = "nobody"  # root must not run a server, and is what containers have


def programs() -> Path | None:
    """The folder of initdb and the others: Debian has it aside; None where there is no server."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path))
    return found[-1].parent if found else None


class Server:
    """A running server; `url` has the password."""

    def __init__(self, folder: Path, password: str) -> None:
        self.password = password
        self.url = f"postgresql://{USER}:{password}@/postgres?host={folder}"

    @property
    def environment(self) -> dict[str, str]:
        """For a process that takes the URL from there."""
        return {**os.environ, "SEARCH_URL": self.url, "OMP_NUM_THREADS": "1"}

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows, if it has any."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def server() -> Iterator[Server]:
    """Start a server that listens at a socket in a folder of its own, and nowhere else."""
    bin_folder = programs()
    assert bin_folder is not None
    parent = Path(tempfile.mkdtemp(prefix="nsmc-postgres-", dir="/tmp"))  # a socket's path is short
    own: dict[str, Any] = {}
    if os.geteuid() == 0:
        own = {"user": _UNPRIVILEGED, "extra_groups": []}
        shutil.chown(parent, _UNPRIVILEGED)

    def run(program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(bin_folder / program), "-D", str(parent / "data")]
        null = subprocess.DEVNULL
        subprocess.run(
            [*command, *arguments], check=True, cwd=parent, stdin=null, stdout=null, **own
        )

    password = secrets.token_hex(8)
    (parent / "password").write_text(password)
    try:
        start = ["--auth=scram-sha-256", "--no-sync", f"--username={USER}", "--encoding=UTF8"]
        run("initdb", *start, f"--pwfile={parent}/password")
        options = f"-k {parent} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-w", "-o", options, "-l", str(parent / "log"), "start")
        try:
            yield Server(parent, password)
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(parent)


def states(postgres: Server, study: str) -> list[str]:
    """How a study's trials came out, in their order."""
    rows = postgres.execute(
        "SELECT state::text FROM trials JOIN studies USING (study_id) "
        f"WHERE study_name = '{study}' ORDER BY number"
    )
    return [state for (state,) in rows]


def make_stale(postgres: Server, study: str, number: int) -> None:
    """Let a trial's last sign of life be long ago."""
    postgres.execute(
        "UPDATE trial_user_attributes SET value_json = '1.0' WHERE key = 'alive' AND trial_id = "
        "(SELECT trial_id FROM trials JOIN studies USING (study_id) "
        f"WHERE study_name = '{study}' AND number = {number})"
    )
