"""The memory of a search: an Optuna study in a SQLite file in the sweep's folder.

It says what to try next and what is not worth going on with; it runs nothing. The file is data: of
a trial in it only values of the search's own space are used, and no sampler that unpickles what it
finds there (Optuna's cmaes does) is offered.
"""

import importlib.util
import logging
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nsmc.config.schema import Range, SearchConfig
from nsmc.extras import needs_extra
from nsmc.runs.record import held, is_locked, is_occupied
from nsmc.sweeps.process_lock import hold_process_lock, release_process_lock
from nsmc.training.early_stopping import Pruning
from nsmc.training.randomness import step_seed

try:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.trial import BaseTrial, FrozenTrial, Trial, TrialState
    from sqlalchemy.engine import URL

    from nsmc.sweeps.study_file import (
        SECONDS_TO_LOCK,
        STUDY_FILE,
        check_file,
        check_trials,
        is_name,
        problem_of,
        readable,
    )
except ImportError:
    raise ValueError(needs_extra("search", "search")) from None

log = logging.getLogger(__name__)

_OWNER = re.compile(rf"\.{re.escape(STUDY_FILE)}-[0-9a-f]{{8}}\.lock")


class Study:
    """The study of a folder, which is created if there is none.

    `base` is a digest of what all trials have in common. Raises ValueError for a folder that holds
    a search with another one, whose trials cannot be compared, and for a file that is no study.
    """

    def __init__(self, folder: Path, search: SearchConfig, monitor: str, base: str) -> None:
        if search.sampler == "gp" and importlib.util.find_spec("scipy") is None:
            raise ValueError("search.sampler=gp: needs pip install scipy")
        self.folder = folder
        self.search = search
        self._monitor = monitor
        self._study = _open(folder, search, monitor)
        self._space = {key: distribution(values) for key, values in search.space.items()}
        check_trials(self._study, folder, self._space)
        if self._study.user_attrs.get("base", base) != base:
            raise ValueError(
                f"sweep={folder.name} holds a search with other settings or another space; choose "
                "another name"
            )
        self._study.set_user_attr("base", base)
        self._lock = hold_process_lock(folder, STUDY_FILE)  # while this process has trials

    def close(self) -> None:
        """Let other processes go on with what trials are left."""
        release_process_lock(self._lock)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from choosing trials in the meantime."""
        with held(self.folder / f".{STUDY_FILE}.lock"):
            yield

    def left_behind(self) -> list[FrozenTrial]:
        """Trials whose process has died, whose runs can go on in their folders.

        One whose parameters are not from the search's space has failed.
        """
        left_behind = []
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            if _is_alive(trial, self.folder):
                continue
            if problem := problem_of(trial, self._space):
                log.warning("%s: trial %d has failed: %s", STUDY_FILE, trial.number, problem)
                self._study.tell(trial.number, state=TrialState.FAIL)
            else:
                left_behind.append(trial)
        return left_behind

    def count(self) -> int:
        """How many trials were begun."""
        return len(self._study.get_trials(deepcopy=False))

    def begin(self, seed: int) -> BaseTrial:
        """A new trial with its parameters, which is to be claimed before `locked` ends."""
        # A sampler for each trial, so that a search that goes on does not repeat itself.
        self._study.sampler = _sampler(self.search, step_seed(seed, self.count(), 0) % 2**32)
        with readable(self.folder):
            return self._study.ask(fixed_distributions=self._space)

    def claim(self, trial: BaseTrial, job: str) -> None:
        """Say that this process is at work on a trial, and in which folder."""
        claimed = Trial(self._study, self._study.get_trials(deepcopy=False)[trial.number]._trial_id)
        claimed.set_user_attr("owner", Path(self._lock.lock_file).name)
        claimed.set_user_attr("job", job)

    def finish(self, number: int, record: dict[str, Any]) -> None:
        """Tell how a trial's run came out; one without a result has failed."""
        status, value = record.get("status"), record.get("metrics", {}).get(self._monitor)
        if status == "finished" and value is not None and math.isfinite(value):
            self._study.tell(number, value, skip_if_finished=True)
        else:
            state = TrialState.PRUNED if status == "pruned" else TrialState.FAIL
            self._study.tell(number, state=state, skip_if_finished=True)

    def importances(self) -> dict[str, float]:
        """Each parameter's share in what made trials differ; empty where there are too few."""
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len({trial.value for trial in complete}) < 2:
            return {}
        with suppress(Exception):  # of trials that make no sense; a report does without
            return dict(optuna.importance.get_param_importances(self._study))
        return {}


def pruning(search: SearchConfig, monitor: str, folder: Path) -> Pruning:
    """The callback that ends the run in `folder`, a search's trial, where it is a bad one.

    Raises ValueError where the search in the folder above knows no such trial.
    """
    assert search.trial is not None
    file = folder.parent / STUDY_FILE
    if not file.is_file():
        raise ValueError(f"{file}: not there; search=null goes on without ending bad trials early")
    study = _open(folder.parent, search, monitor)
    with readable(folder.parent):
        trials = study.get_trials(deepcopy=False)
    if search.trial >= len(trials):
        raise ValueError(f"{file}: has no trial {search.trial}; search=null does without it")
    frozen = trials[search.trial]

    def is_bad(value: float, epoch: int) -> bool:
        with readable(folder.parent):
            trial = Trial(study, frozen._trial_id)
            if epoch not in frozen.intermediate_values:  # a run that goes on may have reported it
                trial.report(value, epoch)
            return trial.should_prune()

    return Pruning(monitor, is_bad)


def _open(folder: Path, search: SearchConfig, monitor: str) -> "optuna.Study":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    # SQLAlchemy escapes what would end a path, such as a question mark, and what Optuna would fill
    # in, such as braces.
    url = URL.create("sqlite", database=str(folder.absolute() / STUDY_FILE))
    with held(folder / f".{STUDY_FILE}.new.lock"):  # two processes must not both make it
        check_file(folder / STUDY_FILE)
        with readable(folder):
            storage = optuna.storages.RDBStorage(
                url.render_as_string(hide_password=False),
                engine_kwargs={"connect_args": {"timeout": SECONDS_TO_LOCK}},
            )
            return optuna.create_study(
                storage=storage,
                study_name="search",
                direction="minimize" if monitor == "val/loss" else "maximize",
                pruner=_pruner(search),
                load_if_exists=True,
            )


def _sampler(search: SearchConfig, seed: int) -> "optuna.samplers.BaseSampler":
    startup = search.startup_trials
    if search.sampler == "tpe":
        # Trials that are under way count as bad ones, so that others look elsewhere.
        return optuna.samplers.TPESampler(n_startup_trials=startup, constant_liar=True, seed=seed)
    if search.sampler == "gp":
        return optuna.samplers.GPSampler(n_startup_trials=startup, seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(search: SearchConfig) -> "optuna.pruners.BasePruner":
    if search.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=search.startup_trials)
    if search.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()


def distribution(values: Sequence[Any] | Range) -> BaseDistribution:
    """Optuna's form of a parameter's choices or range."""
    if not isinstance(values, Range):
        return CategoricalDistribution(list(values))
    low, high, step = values.low, values.high, values.step
    if isinstance(low, int) and isinstance(high, int) and (step is None or isinstance(step, int)):
        return IntDistribution(low, high, log=values.log, step=step or 1)
    return FloatDistribution(low, high, log=values.log, step=step)


def _is_alive(trial: FrozenTrial, folder: Path) -> bool:
    """Whether a process is at work on a trial: the one that chose it, or the one that runs it."""
    owner, job = trial.user_attrs.get("owner"), trial.user_attrs.get("job")
    is_cared_for = is_name(owner) and bool(_OWNER.fullmatch(owner)) and is_locked(folder / owner)
    return is_cared_for or (is_name(job) and is_occupied(folder / job))
