"""What was varied among runs, and what that is called in a table."""

from collections import Counter
from collections.abc import Callable, Sequence

from nsmc.experiments.effects import has_effect
from nsmc.experiments.reports.runs import Run
from nsmc.experiments.reports.values import Value, clean

MISSING = "–"  # a key that a run's configuration lacks

CELL = "model.cell"
SEED = "seed"
SPLIT_SEED = "data.split_seed"

_NO_SETTINGS = ("seed", "test", "hydra")  # a row is over seeds, whether tested or not


def effective(runs: Sequence[Run]) -> list[dict[str, Value]]:
    """Each run's configuration without the keys that change no result; seeds are not settings."""
    keys = {key for run in runs for key in run.config}
    ignored = {key for key in keys if _is_ignored(key)}
    split_seed = _split_seeds(runs)
    settings = []
    for run in runs:
        values = {key: value for key, value in run.config.items() if key not in ignored}
        if SPLIT_SEED in values:
            values[SPLIT_SEED] = split_seed(run)
        settings.append(values)
    return settings


def varied_keys(settings: Sequence[dict[str, Value]]) -> list[str]:
    """The keys whose values differ, the cell first, else in the configurations' order."""
    keys = dict.fromkeys(key for values in settings for key in values)
    differing = [key for key in keys if len({values.get(key, MISSING) for values in settings}) > 1]
    return sorted(differing, key=lambda key: key != CELL)


def short_names(keys: Sequence[str], taken: Sequence[str]) -> list[str]:
    """The last part of each key, or all of it where that would be one of two, or is taken."""
    last = [key.rpartition(".")[2] for key in keys]
    counts = Counter([*last, *taken])
    return [name if counts[name] == 1 else key for key, name in zip(keys, last, strict=True)]


def corpus_names(runs: Sequence[Run]) -> dict[str, str]:
    """A name for each corpus by `corpus_of`; with the fingerprint's start where names are equal."""
    names = {corpus_of(run): _name(run) for run in reversed(runs)}
    counts = Counter(names.values())
    return {
        corpus: name if counts[name] == 1 else f"{name} {corpus[:6]}"
        for corpus, name in names.items()
    }


def corpus_of(run: Run) -> str:
    """What tells a run's corpus from others: its fingerprint, or its name where there is none."""
    return run.fingerprint or _name(run)


def _name(run: Run) -> str:
    return clean(run.config.get("data.name", "unknown"))


def _is_ignored(key: str) -> bool:
    return key.partition(".")[0] in _NO_SETTINGS or not has_effect(key)


def _split_seeds(runs: Sequence[Run]) -> Callable[[Run], Value]:
    """A run's split seed; "seed" where it merely follows the seed.

    Where a split is fixed, one run's seed may happen to be the same number: that one does not
    follow, it is one of those with this split.
    """
    pairs = [(run.config.get(SEED), run.config.get(SPLIT_SEED)) for run in runs]
    fixed = {split for seed, split in pairs if split != seed}

    def value(run: Run) -> Value:
        split = run.config[SPLIT_SEED]
        return split if split in fixed else "seed"

    return value
