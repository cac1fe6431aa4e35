"""The memory of a search: an Optuna study, which says what to try next. It runs nothing.

Its database is data: of a trial in it only values of the search's own space are used, and no
sampler that unpickles what it finds there (Optuna's cmaes does) is offered.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nsmc.config.search import SearchConfig
from nsmc.extras import needs_extra
from nsmc.runs.record import is_occupied
from nsmc.training.randomness import step_seed

try:
    import optuna
    from optuna.storages import RDBStorage
    from optuna.trial import BaseTrial, FrozenTrial, TrialState

    from nsmc.sweeps.sampling import (
        check_sampler,
        directions,
        distribution,
        excess_of,
        metric_of,
        pruner,
        sampler,
    )
    from nsmc.sweeps.storage import BASE, Storage, storage_of
    from nsmc.sweeps.study_file import (
        MOST_TRIALS,
        check_directions,
        check_trials,
        damaged,
        is_name,
        is_number,
        problem_of,
        reachable,
        readable,
    )
except ImportError:
    raise ValueError(needs_extra("search", "search")) from None

log = logging.getLogger(__name__)

_SECONDS = "seconds"  # the study's attribute: what all starts of the search took


class Study:
    """The study of a folder, which is created if there is none.

    `base` is a digest of what all trials have in common. Raises ValueError for a folder that holds
    a search with another one, whose trials cannot be compared, and for a database that is no
    study's.
    """

    def __init__(self, folder: Path, search: SearchConfig, monitor: str, base: str) -> None:
        check_sampler(search)
        self.folder = folder
        self.search = search
        self._monitor = monitor
        self._storage = storage_of(folder, search)
        self._study, self._rdb = open_study(self._storage, search, monitor)
        self._space = {key: distribution(values) for key, values in search.space.items()}
        with readable(self._storage.name):
            if BASE not in self._study.user_attrs:
                self._study.set_user_attr(BASE, base)
            found = self._study.user_attrs[BASE]
        if found != base:
            raise ValueError(
                f"sweep={folder.name} holds a search with other settings or another space; choose "
                "another name"
            )
        check_directions(self._study, self._storage.name, directions(search, monitor))
        check_trials(self._study, self._storage.name, self._space)
        self._owner = self._storage.owner(self._rdb)

    def close(self) -> None:
        """Let other processes go on with what trials are left."""
        self._owner.leave()
        self._rdb.engine.dispose()

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Raises ValueError, in one line, where its database cannot be reached any more."""
        with reachable(self._storage.name):
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from choosing trials in the meantime."""
        with self._storage.choosing(self._rdb):
            yield

    def left_behind(self) -> list[FrozenTrial]:
        """Trials whose process has died, whose runs can go on in their folders.

        One whose parameters are not from the search's space has failed.
        """
        left_behind = []
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            if self._is_alive(trial):
                continue
            if problem := problem_of(trial, self._space):
                log.warning("%s: trial %d has failed: %s", self._called, trial.number, problem)
                self._study.tell(trial.number, state=TrialState.FAIL)
            else:
                left_behind.append(trial)
        return left_behind

    @property
    def _called(self) -> str:
        return Path(self._storage.name).name if self.search.storage is None else "search.storage"

    def _is_alive(self, trial: FrozenTrial) -> bool:
        """Whether a process is at work on a trial: the one that chose it, or that runs it here."""
        job = trial.user_attrs.get("job")
        is_run_here = is_name(job) and is_occupied(self.folder / job)
        return is_run_here or self._storage.is_alive(trial, self._rdb)

    def count(self) -> int:
        """How many trials were begun."""
        return len(self._study.get_trials(deepcopy=False))

    def begin(self, seed: int) -> BaseTrial:
        """A new trial with its parameters, which is to be claimed before `locked` ends."""
        # A sampler for each trial, so that a search that goes on does not repeat itself.
        self._study.sampler = sampler(self.search, step_seed(seed, self.count(), 0) % 2**32)
        with readable(self._storage.name):
            return self._study.ask(fixed_distributions=self._space)

    def claim(self, trial: BaseTrial, job: str) -> None:
        """Say that this process is at work on a trial, and in which folder."""
        trial_id = id_of(self._rdb, self._storage.study_name, trial.number)
        self._rdb.set_trial_user_attr(trial_id, "job", job)
        self._owner.claim(trial_id)

    def finish(self, number: int, record: Mapping[str, Any], costs: Mapping[str, float]) -> None:
        """Tell how a trial's run came out and what it costs; one without a result has failed."""
        status, values = record.get("status"), self._values(record, costs)
        if status == "finished" and values is not None:
            self._set_costs(number, costs)
            self._study.tell(number, values, skip_if_finished=True)
        else:
            state = TrialState.PRUNED if status == "pruned" else TrialState.FAIL
            self._study.tell(number, state=state, skip_if_finished=True)

    def spare(self, number: int, megabytes: float) -> None:
        """Tell that a trial was not run, as its bundle would have at least so many megabytes."""
        self._set_costs(number, {"megabytes": megabytes})
        self._study.tell(number, state=TrialState.PRUNED)

    def _values(
        self, record: Mapping[str, Any], costs: Mapping[str, float]
    ) -> float | list[float] | None:
        """The objectives' values, else that of the metric; None where one is missing."""
        measured = {**record.get("metrics", {}), **costs}
        names = self.search.objectives or []
        keys = [metric_of(name) for name in names] or [self._monitor]
        values = [measured.get(key, math.nan) for key in keys]
        if not all(map(math.isfinite, values)):
            return None
        return values if names else values[0]

    def _set_costs(self, number: int, costs: Mapping[str, float]) -> None:
        trial = self._study.get_trials(deepcopy=False)[number]
        if trial.state.is_finished() or trial.constraints:  # by another process
            return
        trial_id = id_of(self._rdb, self._storage.study_name, number)
        for what, value in costs.items():
            self._rdb.set_trial_user_attr(trial_id, what, value)
        for limit, excess in excess_of(self.search, costs).items():
            optuna.Trial(self._study, trial_id).set_constraint(limit, excess)

    def spent(self) -> float:
        """The hours that all starts of the search took, machines that share it added up."""
        seconds = self._study.user_attrs.get(_SECONDS)
        return seconds / 3600 if is_number(seconds) and seconds > 0 else 0.0

    def spend(self, seconds: float) -> None:
        """Add to what was spent."""
        with self.locked():
            self._study.set_user_attr(_SECONDS, self.spent() * 3600 + seconds)

    def may_begin(self) -> bool:
        """Whether there are trials left to begin, and time for them."""
        is_time_left = self.search.hours is None or self.spent() < self.search.hours
        return self.count() < self.search.trials and is_time_left

    def importances(self) -> dict[str, float]:
        """Each parameter's share in what made trials differ; empty where there are too few.

        Of several objectives it is the first that counts.
        """
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len({trial.values[0] for trial in complete}) < 2:
            return {}
        is_high = self._study.directions[0] == optuna.study.StudyDirection.MAXIMIZE
        sign = -1 if is_high else 1  # low values count, as a warning says

        def first(trial: FrozenTrial) -> float:
            return sign * trial.values[0]

        target = first if self.search.objectives else None
        with suppress(Exception), warnings.catch_warnings():  # of trials that make no sense
            warnings.simplefilter("ignore")
            return dict(optuna.importance.get_param_importances(self._study, target=target))
        return {}


def open_study(
    storage: Storage, search: SearchConfig, monitor: str
) -> tuple[optuna.Study, RDBStorage]:
    """The study, which is created if there is none, and its storage.

    Raises ValueError, in one line without a password, for a database that cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with storage.making(), readable(storage.name):
        rdb = storage.connect()
        study = optuna.create_study(
            storage=rdb,
            study_name=storage.study_name,
            directions=directions(search, monitor),
            sampler=sampler(search),
            pruner=pruner(search),
            load_if_exists=True,
        )
        count = rdb.get_n_trials(rdb.get_study_id_from_name(storage.study_name))
    if count > MOST_TRIALS:
        raise damaged(storage.name, f"{count:,} trials")
    return study, rdb


def id_of(rdb: RDBStorage, study_name: str, number: int) -> int:
    """What a trial is called in its database."""
    study = rdb.get_study_id_from_name(study_name)
    return rdb.get_trial_id_from_study_id_trial_number(study, number)
