"""What a workload is: a name, its metrics, and a function that visits a database once."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.database import Database


class WrongAnswer(Exception):
    """A store answered what it mustn't. No correctness, no number: the message becomes the blank's reason."""


class NotHere(Exception):
    """This machine can't show what a workload measures. The message becomes the blank's reason; other numbers stay."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is done: the counts of one speed.

    `agents` per database, of which `writes` are saved one by one; `reads` random reads and `listed` agents per round;
    `visits` rounds of the workloads in this process, `starts` of those that start a fresh one.
    """

    builds: int
    agents: int
    writes: int
    reads: int
    listed: int
    visits: int
    starts: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One round of one workload: which, and a seed that is the same for all subjects, so that all get the same keys."""

    round: int
    seed: str
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Measured:
    """Raw values of one metric: one per operation."""

    metric: str
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """A way to use a store. `fresh` says that it starts processes of its own, so it is done less often.

    `fills` says that it brings its own agents in: it comes before the database is filled.
    """

    name: str
    title: str
    metrics: tuple[str, ...]
    measure: Callable[[Database, Visit], Iterable[Measured]]
    fresh: bool = False
    fills: bool = False

    def rounds(self, sizes: Sizes) -> int:
        """Return how often a database is visited."""
        return sizes.starts if self.fresh else sizes.visits


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the garbage collector out of a timed stretch: when it runs is chance, not the store's doing."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed_us(action: Callable[[], object]) -> float:
    """Return how long an action takes, microseconds."""
    begin = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - begin) / 1_000
