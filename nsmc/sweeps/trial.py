"""What a run that is a search's trial has besides: it is ended where it is not worth going on."""

from pathlib import Path

import pytorch_lightning as L

from nsmc.config.schema import RunConfig


def trial_callbacks(config: RunConfig, folder: Path) -> list[L.Callback]:
    """The callback that ends a search's bad trials; none for a run that is no trial.

    Raises ValueError where the search in the folder above knows no such trial.
    """
    if config.search is None or config.search.trial is None or config.search.pruner == "none":
        return []
    from nsmc.sweeps.study import pruning  # only those who search pay for its import

    return [pruning(config, folder)]
