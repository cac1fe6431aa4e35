"""How often the report's test is wrong, and what it sees: false alarms and power, in simulations.

A false alarm is a report that calls a setting worse than the best while all are equally good; the
best is the one that came out best. Power is how often the other of two settings is called worse
that is worse by 0.3 points. Beside the report's test are two that others use: McNemar's test or a
bootstrap of the reviews alone, on the means of the seeds, and a bootstrap of reviews and seeds.
Needs no corpus.
"""

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from nsmc.comparison.distributions import two_sided_p
from nsmc.comparison.testing import LEVEL, corrected, p_values
from tests.comparison.simulation import Runs, Simulation

CASES = {
    "NSMC's validation part, 7,500 reviews": Simulation(7_500),
    "NSMC's test part, 50,000 reviews": Simulation(50_000),
    "7,500 reviews, 12 settings": Simulation(7_500, settings=12),
    "50,000 reviews, 12 settings": Simulation(50_000, settings=12),
    "7,500 reviews, seeds that do not matter": Simulation(7_500, seed_deviation=0.0),
    "50,000 reviews, seeds that differ by 0.5 points": Simulation(50_000, seed_deviation=0.025),
    "7,500 reviews, each seed its own": Simulation(7_500, own_splits=True),
    "50,000 reviews, one run of each": Simulation(50_000, seeds=1, seed_deviation=0.0),
    "1,000 reviews": Simulation(1_000),
}
GAIN = 0.3  # points


def is_said_worse(simulation: Simulation, random: np.random.Generator) -> list[bool]:
    """Whether any setting is said to be worse than the best: by the report, and by the others."""
    settings = simulation.draw(random)
    means = [np.mean([runs.mean() for runs in setting.values()]) for setting in settings]
    best = int(np.argmax(means))
    tested = [p for p in p_values(settings, best) if p is not None]
    said = [min(tested) < LEVEL]
    for is_of_seeds in (False, True):
        others = [
            _bootstrap([*settings[best].values()], [*setting.values()], is_of_seeds)
            for number, setting in enumerate(settings)
            if number != best
        ]
        said.append(min(corrected(p, len(settings)) for p in others) < LEVEL)
    return said


def _bootstrap(first: list[Runs], second: list[Runs], of_seeds: bool) -> float:
    """What a bootstrap of many draws says: its variance is known without drawing."""
    pairs = list(zip(first, second, strict=True))
    by_review = [a.mean(axis=0) - b.mean(axis=0) for a, b in pairs]
    value = float(np.mean([each.mean() for each in by_review]))
    variance = sum(each.var() / len(each) for each in by_review) / len(by_review) ** 2
    if of_seeds:
        parts = [[runs.mean(axis=1) for runs in setting] for setting in (first, second)]
        for means in map(np.concatenate, parts):
            variance += means.var() / len(means)
    return two_sided_p(value / math.sqrt(variance), math.inf)


def main(root: Path, trials: int = 1_000) -> None:
    """Print a table in Markdown; the corpus at `root` is not read."""
    titles = ("false alarms", "power at 0.3 points", "reviews alone", "reviews and seeds")
    print(f"| {trials:,} trials of each | {' | '.join(titles)} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for title, simulation in CASES.items():
        started = time.perf_counter()
        random = np.random.default_rng(1)
        count = max(trials // max(simulation.settings // 4, 1), 1)
        wrong = np.mean([is_said_worse(simulation, random) for _ in range(count)], axis=0)
        power = "–"
        if simulation.settings == 2:
            better = replace(simulation, gain=GAIN)
            seen = np.mean([is_said_worse(better, random)[0] for _ in range(count)])
            power = f"{seen:.0%}"
        cells = [f"{wrong[0]:.1%}", power, *(f"{share:.1%}" for share in wrong[1:])]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)
        print(f"{title}: {time.perf_counter() - started:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000)
    main(Path(), parser.parse_args().trials)
