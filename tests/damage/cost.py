"""What noticing damage costs: `python -m tests.damage.cost` puts and opens with it and without, in turns.

Without it is the same store with nothing looked through when it opens, and no high-water mark written. A round measures
both sides next to each other, which first being drawn; a ratio is that of the two sides of one round. The interval
holds the median ratio with 95 in 100 (bootstrap over the rounds).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from stores.contract import Put, Store
from stores.high_water import HighWater, HighWaterMark
from stores.registry import open_store
from stores.suite.samples import agent
from tests.damage.matrix import ENGINES

GOAL_RATIO_MAX = 1.03
ROUNDS = 400
"""A round is one durable put of each side: so close together both meet the same load."""
OPENINGS = 40
RECORD_BYTES = 6000
AGENTS = 500
"""In the database that is opened."""
_RESAMPLES = 2000
_LOOKING = {
    "stores.engines.leveldb.check_logs": False,
    "stores.engines.rocksdb.check_logs": False,
    "stores.engines.rocksdb.check_manifest": None,
    "stores.engines.trial.is_vouched_for": True,
    "stores.engines.lmdb.check_pages": None,
    "stores.engines.badger.engine.check_descriptors": None,
    "stores.sqlite.store.examine": None,
    "stores.high_water.HighWaterMark.raise_to": None,
    "stores.high_water.HighWaterMark.check": None,
}
"""What notices damage, and what it answers when it is left out."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Time with noticing over time without, the median of all rounds, with its interval."""

    engine: str
    what: str
    with_us: float
    without_us: float
    ratio: float
    low: float
    high: float


@contextmanager
def noticing(*, wanted: bool) -> Iterator[None]:
    """Leave out all that notices damage, unless it is wanted."""
    with ExitStack() as patches:
        for name, answer in () if wanted else _LOOKING.items():
            patches.enter_context(patch(name, lambda *_, _answer=answer, **__: _answer))
        yield


def cost_of(engine: str, what: str, rounds: int, random: Random, side: Callable[[bool], float]) -> Cost:
    """Measure both sides in turns; `side` does its work with noticing or without, and returns seconds."""
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        order = random.sample((True, False), 2)
        times = {wanted: side(wanted) for wanted in order}
        if number:  # the first round warms both up
            pairs.append((times[True], times[False]))
    return judged(engine, what, pairs, random)


def judged(engine: str, what: str, pairs: Sequence[tuple[float, float]], random: Random) -> Cost:
    """Make a cost of the times of both sides."""
    ratios = [wanted / without for wanted, without in pairs]
    drawn = sorted(median(random.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    low, high = drawn[_RESAMPLES // 40], drawn[-_RESAMPLES // 40]
    usual = [median(times) * 1e6 for times in zip(*pairs, strict=True)]
    return Cost(engine, what, usual[0], usual[1], median(ratios), low, high)


def cost_of_puts(engine: str, folder: Path, rounds: int, random: Random) -> Cost:
    """Measure durable puts into two stores that grow alike."""
    stores: dict[bool, Store] = {w: open_store(f"{engine}:{folder / f'puts-{w}'}", create=True) for w in (True, False)}
    numbers = {True: 0, False: 0}
    text = random.randbytes(RECORD_BYTES // 2).hex()

    def put(wanted: bool) -> float:
        with noticing(wanted=wanted):
            numbers[wanted] += 1
            id_ = f"a{numbers[wanted]}"
            batch = [Put("agent", id_, agent(id_, text=text), "absent")]
            begun = time.perf_counter()
            stores[wanted].commit(batch)
            return time.perf_counter() - begun

    try:
        return cost_of(engine, "durable put", rounds, random, put)
    finally:
        for store in stores.values():
            store.close()


def cost_within_puts(engine: str, folder: Path, rounds: int, random: Random) -> Cost:
    """Measure durable puts, and what each spends on the mark: under load this says more than turns do."""
    spent = [0.0]
    raise_to = HighWaterMark.raise_to

    def timed(mark: HighWaterMark, reached: HighWater) -> None:
        begun = time.perf_counter()
        raise_to(mark, reached)
        spent[0] = time.perf_counter() - begun

    pairs: list[tuple[float, float]] = []
    text = random.randbytes(RECORD_BYTES // 2).hex()
    with patch.object(HighWaterMark, "raise_to", timed), open_store(f"{engine}:{folder / 'db'}", create=True) as store:
        for number in range(rounds):
            batch = [Put("agent", f"a{number}", agent(f"a{number}", text=text), "absent")]
            begun = time.perf_counter()
            store.commit(batch)
            whole = time.perf_counter() - begun
            pairs.append((whole, whole - spent[0]))
    return judged(engine, "the mark within a put", pairs, random)


def cost_of_opening(engine: str, folder: Path, rounds: int, random: Random) -> Cost:
    """Measure opening a database that was closed, for writing, and closing it again."""
    url = f"{engine}:{folder / 'opened'}"
    text = random.randbytes(RECORD_BYTES // 2).hex()
    with open_store(f"{url}?durability=relaxed", create=True) as store:
        for number in range(AGENTS):
            store.commit([Put("agent", f"a{number}", agent(f"a{number}", text=text), "absent")])

    def opened(wanted: bool) -> float:
        with noticing(wanted=wanted):
            begun = time.perf_counter()
            open_store(url).close()
            return time.perf_counter() - begun

    return cost_of(engine, f"open {AGENTS} agents", rounds, random, opened)


def measured(engine: str, rounds: int, openings: int, seed: int, folder: Path) -> list[Cost]:
    """Measure all costs of an engine, in new folders below one."""
    rounds_of = {cost_of_puts: rounds, cost_within_puts: rounds, cost_of_opening: openings}
    costs = []
    for measure, number in rounds_of.items():
        with TemporaryDirectory(prefix="parity-cost-", dir=folder) as scratch:
            costs.append(measure(engine, Path(scratch), number, Random(seed)))
    return costs


def main() -> int:
    """Print the costs; return 1 if a durable put certainly costs more than the goal allows, by either measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.damage.cost", description=__doc__)
    parser.add_argument("--engine", action="append", choices=ENGINES, help="this engine only")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="puts of each side")
    parser.add_argument("--openings", type=int, default=OPENINGS, help="openings of each side")
    parser.add_argument("--seed", type=int, default=18)
    chosen = parser.parse_args()
    load = f"{os.getloadavg()[0]:.1f}"
    engines = chosen.engine or ENGINES
    costs = [
        cost for engine in engines for cost in measured(engine, chosen.rounds, chosen.openings, chosen.seed, Path.cwd())
    ]
    table = Table("engine", "what", "with, µs", "without, µs", "ratio", "interval")
    for cost in costs:
        numbers = (f"{cost.with_us:.0f}", f"{cost.without_us:.0f}", f"{cost.ratio:.3f}")
        table.add_row(cost.engine, cost.what, *numbers, f"{cost.low:.3f} to {cost.high:.3f}")
    console = Console(width=None if sys.stdout.isatty() else 100, emoji=False)
    console.print(table)
    console.print(f"{chosen.rounds} puts and {chosen.openings} openings of each side")
    console.print(f"load of the machine: {load} before, {os.getloadavg()[0]:.1f} after")
    return int(any(cost.what.endswith("put") and cost.low > GOAL_RATIO_MAX for cost in costs))


if __name__ == "__main__":
    sys.exit(main())
