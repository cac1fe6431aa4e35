"""A sweep's grid: every combination of the values that its arguments list, or some of them."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from nsmc.config.overrides import readable, written
from nsmc.config.steps import flat
from nsmc.data.cache import digest_of
from nsmc.sweeps.plan import shared_overrides

PARAMS = "hydra.sweeper.params"
DRAWN, SEED = "hydra.sweeper.random", "hydra.sweeper.seed"


def choices(params: Any) -> Iterator[str]:
    """The overrides of a sweep that a YAML file has as `{KEY: [VALUE, VALUE]}`.

    Text is what would stand on the command line: "1,2" are two values, too. Raises ValueError for
    what is no such mapping, and for a list without values.
    """
    if not isinstance(params, Mapping):
        raise ValueError(f"{PARAMS}={written(params)}: must be a mapping, {{KEY: [VALUE, VALUE]}}")
    for key, value in flat(params):
        if isinstance(value, str):
            yield readable(f"{key}={value}", in_sweep=True)
        else:
            values = value if isinstance(value, list) else [value]
            if not values:
                raise ValueError(f"{PARAMS}: {key} has no values")
            yield f"{key}={','.join(map(written, values))}"


def combinations(loader: ConfigLoader, arguments: Sequence[str]) -> list[list[str]]:
    """The overrides of each job.

    Of two arguments for one key the last counts. Raises HydraException for what cannot be read, and
    ValueError for a range without steps and for a key without a value.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
    choices = {override.get_key_element(): [*_choices(override)] for override in parsed}
    return [list(combination) for combination in itertools.product(*choices.values())]


def _choices(override: Override) -> Iterator[str]:
    key = override.get_key_element()
    if override.is_discrete_sweep():
        yield from (f"{key}={value}" for value in override.sweep_string_iterator())
    elif override.is_sweep_override():
        raise ValueError(f"{override.input_line}: a range without steps is for search.space")
    elif "${" in str(override.input_line):  # which Hydra would escape, so that it is plain text
        yield str(override.input_line)
    else:
        yield f"{key}={override.get_value_element_as_str()}"


def drawn(jobs: list[list[str]], number: Any, seed: Any) -> list[list[str]]:
    """So many of the jobs, in their order; all of them with `number` null.

    A seed chooses the same ones again wherever they stand in the grid, and a larger number adds to
    those of a smaller one. Raises ValueError for what is no such number.
    """
    for key, value, least in ((DRAWN, number, 1), (SEED, seed, 0)):
        if (value is not None or key == SEED) and (type(value) is not int or value < least):
            raise ValueError(f"{key}={value}: must be a whole number of {least} and more")
    if number is None:
        return jobs
    shared = shared_overrides(jobs)  # such as sweep.dry_run=true, which must change no choice

    def lot(index: int) -> str:  # a hash is as good as a draw
        return digest_of([seed, *(choice for choice in jobs[index] if choice not in shared)])

    order = sorted(range(len(jobs)), key=lot)
    return [jobs[index] for index in sorted(order[:number])]
