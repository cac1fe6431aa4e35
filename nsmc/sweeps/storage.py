"""Where a search keeps its trials, and how processes that share it keep out of each other's way.

Without `search.storage` that is a file in the sweep's folder, and locks in this folder show which
processes live. A database of `search.storage` may be shared by machines that share no folder. There
a row that is locked keeps others from choosing at the same time, and a process that lives says so
every few seconds, by the server's clock: Optuna's own heartbeat is for `optimize` alone, and would
start a trial anew where we go on with it.
"""

import logging
import re
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from nsmc.config.search import SearchConfig
from nsmc.runs.record import held, is_locked
from nsmc.sweeps.database import is_file, of_file, of_server, row_locked, time_of, url_of
from nsmc.sweeps.process_lock import hold_process_lock, release_process_lock
from nsmc.sweeps.study_file import STUDY_FILE, is_name, is_number

log = logging.getLogger(__name__)

BASE = "base"  # the study's attribute that every search sets once; its row is the lock
SECONDS_BETWEEN_SIGNS = 10
SECONDS_WITHOUT_SIGN = 60  # after which a process is taken for dead

_OWNER = re.compile(rf"\.{re.escape(STUDY_FILE)}-[0-9a-f]{{8}}\.lock")
SIGN = "alive"  # a trial's attribute: when its process last said that it lives
_NEVER = 0.0


class Owner(Protocol):
    """This process, as one that works on trials."""

    def claim(self, trial_id: int) -> None:
        """Say that this process is at work on a trial."""

    def leave(self) -> None:
        """Let other processes go on with what is left."""


class Storage(Protocol):
    """A study's database."""

    name: str  # for messages: the file, or the server without a password
    study_name: str

    def making(self) -> AbstractContextManager[None]:
        """Held while the tables and the study are made."""

    def connect(self) -> RDBStorage:
        """Make the tables where there are none.

        Raises ValueError for a file that is no search's, and what a server raises.
        """

    def choosing(self, rdb: RDBStorage) -> AbstractContextManager[None]:
        """Keeps other processes from choosing trials."""

    def is_alive(self, trial: FrozenTrial, rdb: RDBStorage) -> bool:
        """Whether the process that chose a trial lives."""

    def owner(self, rdb: RDBStorage) -> Owner:
        """This process; it is to leave in the end."""


def storage_of(folder: Path, search: SearchConfig) -> Storage:
    """Where a search keeps its trials; raises ValueError for what is no database's URL."""
    return _InFolder(folder) if search.storage is None else _Shared(search.storage, folder.name)


class _InFolder:
    """The file `search.db` in the sweep's folder."""

    study_name = "search"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder / STUDY_FILE)

    def making(self) -> AbstractContextManager[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return held(self._folder / f".{STUDY_FILE}.new.lock")  # two processes must not both make it

    def connect(self) -> RDBStorage:
        return of_file(self._folder / STUDY_FILE)

    def choosing(self, rdb: RDBStorage) -> AbstractContextManager[None]:
        return held(self._folder / f".{STUDY_FILE}.lock")

    def is_alive(self, trial: FrozenTrial, rdb: RDBStorage) -> bool:
        owner = trial.user_attrs.get("owner")
        return is_name(owner) and bool(_OWNER.fullmatch(owner)) and is_locked(self._folder / owner)

    def owner(self, rdb: RDBStorage) -> Owner:
        return _LockOwner(self._folder, rdb)


class _LockOwner:
    """Holds a lock in the folder for as long as it has trials."""

    def __init__(self, folder: Path, rdb: RDBStorage) -> None:
        self._rdb = rdb
        self._lock = hold_process_lock(folder, STUDY_FILE)

    def claim(self, trial_id: int) -> None:
        self._rdb.set_trial_user_attr(trial_id, "owner", Path(self._lock.lock_file).name)

    def leave(self) -> None:
        release_process_lock(self._lock)


class _Shared:
    """A database that `search.storage` names; others may keep their searches there, too."""

    def __init__(self, storage: str, sweep: str) -> None:
        self._url = url_of(storage)
        self._file = Path(self._url.database or "") if is_file(self._url) else None
        self.study_name = sweep
        self.name = f"search.storage={self._url.render_as_string(hide_password=True)}"

    def making(self) -> AbstractContextManager[None]:
        return held(Path(f"{self._file}.new.lock")) if self._file else nullcontext()

    def connect(self) -> RDBStorage:
        return of_file(self._file) if self._file else of_server(self._url)

    def choosing(self, rdb: RDBStorage) -> AbstractContextManager[None]:
        return (
            held(Path(f"{self._file}.lock"))
            if self._file
            else row_locked(rdb, self.study_name, BASE)
        )

    def is_alive(self, trial: FrozenTrial, rdb: RDBStorage) -> bool:
        sign = trial.user_attrs.get(SIGN)
        return is_number(sign) and abs(time_of(rdb) - sign) < SECONDS_WITHOUT_SIGN

    def owner(self, rdb: RDBStorage) -> Owner:
        return _SigningOwner(rdb)


class _SigningOwner:
    """Says every few seconds, from a thread, that the process of its trials lives."""

    def __init__(self, rdb: RDBStorage) -> None:
        self._rdb = rdb
        self._trials = set[int]()
        self._has_left = threading.Event()
        self._thread = threading.Thread(target=self._sign_until_left, daemon=True)
        self._thread.start()

    def claim(self, trial_id: int) -> None:
        self._trials.add(trial_id)
        self._rdb.set_trial_user_attr(trial_id, SIGN, time_of(self._rdb))

    def leave(self) -> None:
        self._has_left.set()
        self._thread.join()
        for trial_id in [*self._trials]:
            self._sign(trial_id, _NEVER)

    def _sign_until_left(self) -> None:
        while not self._has_left.wait(SECONDS_BETWEEN_SIGNS):
            for trial_id in [*self._trials]:
                self._sign(trial_id)

    def _sign(self, trial_id: int, sign: float | None = None) -> None:
        try:
            sign = time_of(self._rdb) if sign is None else sign
            self._rdb.set_trial_user_attr(trial_id, SIGN, sign)
        except UpdateFinishedTrialError:
            self._trials.discard(trial_id)
        except Exception as error:  # a network that is down may be up again in a moment
            log.warning("search.storage: %s: no sign of life was left", type(error).__name__)
