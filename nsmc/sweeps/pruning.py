"""Ends a search's trial early where others did better: what its run asks the study."""

import logging
from pathlib import Path

from nsmc.config.search import SearchConfig
from nsmc.sweeps.sampling import directions
from nsmc.sweeps.storage import storage_of
from nsmc.sweeps.study import id_of, open_study
from nsmc.sweeps.study_file import STUDY_FILE, check_directions, readable
from nsmc.training.early_stopping import Pruning

log = logging.getLogger(__name__)


def pruning(search: SearchConfig, monitor: str, folder: Path) -> Pruning:
    """The callback that ends the run in `folder`, a search's trial, where it is a bad one.

    Raises ValueError where the search in the folder above knows no such trial.
    """
    assert search.trial is not None
    file = folder.parent / STUDY_FILE
    if search.storage is None and not file.is_file():
        raise ValueError(f"{file}: not there; search=null goes on without ending bad trials early")
    storage = storage_of(folder.parent, search)
    study, rdb = open_study(storage, search, monitor)
    check_directions(study, storage.name, directions(search, monitor))
    with readable(storage.name):
        trials = study.get_trials(deepcopy=False)
    if search.trial >= len(trials):
        where = storage.name
        raise ValueError(f"{where}: has no trial {search.trial}; search=null does without it")
    trial_id = id_of(rdb, storage.study_name, search.trial)

    def is_bad(value: float, epoch: int) -> bool:
        with readable(storage.name):
            # A run that goes on may have reported it.
            if epoch not in rdb.get_trial(trial_id).intermediate_values:
                rdb.set_trial_intermediate_value(trial_id, epoch, value)
            return study.pruner.prune(study, rdb.get_trial(trial_id))

    def is_bad_if_known(value: float, epoch: int) -> bool:
        try:
            return is_bad(value, epoch)
        except ValueError as error:  # a server may be back at the next epoch
            log.warning("%s: trial %s goes on", error, search.trial)
            return False

    return Pruning(monitor, is_bad if search.storage is None else is_bad_if_known)
