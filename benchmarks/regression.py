"""Has anything become slower from one run to another? The gate: by effect and by interval, over all metrics together.

A run has some hundred metrics, so that a few of their 95 % intervals miss 1 by chance alone. The gate therefore asks of
each metric that it grew by more than the threshold, and that the interval of its growth, at a level that is corrected
for the number of metrics (Bonferroni), lies above 1. What passes can be asked a second time, of a fresh run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.config import ConfigError, Speed, StoresConfig
from benchmarks.results import Ratio, Raw, Subject
from benchmarks.samples import Cell, Samples
from benchmarks.statistics import TooFewBuilds, independent_ratio

COSTS = frozenset({"us", "us/request", "ms", "KiB", "bytes/agent"})
"""Units of which less is better."""
ALPHA = 0.05
"""Of all metrics together: so often a gate may find something where nothing is."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A metric of both runs: how many times more the second takes. `is_slower`: the gate says so."""

    workload: str
    metric: str
    subject: Subject
    payload: str
    ratio: Ratio
    is_slower: bool

    @property
    def cell(self) -> Cell:
        """What it is a growth of."""
        return self.metric, self.subject, self.payload


def growths(before: Raw, after: Raw, fail_over: float) -> list[Growth]:
    """Return the growth of each cost that both runs have; `fail_over` is a share, 0.1 for 10 %.

    Cells with a single build are left out: one build has no interval.
    """
    old, new = Samples(before.samples), Samples(after.samples)
    units = {(one.metric, one.subject, one.payload): one.unit for one in after.samples}
    known = set(old.cells)
    cells = [cell for cell in new.cells if cell in known and units[cell] in COSTS]
    strict = 1 - ALPHA / max(1, len(cells))
    found = []
    for cell in cells:
        terms = new.nested(*cell), old.nested(*cell)
        try:
            seen = independent_ratio(*terms)
        except (TooFewBuilds, ValueError):
            continue
        is_slower = seen.value > 1 + fail_over and independent_ratio(*terms, level=strict).interval.low > 1
        metric, subject, payload = cell
        found.append(Growth(new.workload_of(metric), metric, subject, payload, seen, is_slower))
    return found


def confirmed(suspected: Iterable[Growth], again: Iterable[Growth]) -> list[Growth]:
    """Return those of the suspected that a fresh run shows too, as the fresh run shows them."""
    cells = {one.cell for one in suspected}
    return [one for one in again if one.is_slower and one.cell in cells]


def again(raw: Raw, suspected: Sequence[Growth], directory: Path) -> StoresConfig:
    """Return the run that measures the suspected again, and no more. Raises ConfigError if a run isn't of stores."""
    asked = raw.configuration
    if asked.bench != "stores":
        raise ConfigError(f"a run of `bench {asked.bench}` can't be confirmed; run it again yourself: {asked.command}")
    subjects = {one.subject: None for one in suspected}
    if any(subject.language for subject in subjects):
        raise ConfigError(f"native stores can't be measured alone; run it again yourself: {asked.command}")
    return StoresConfig(
        directory=directory,
        speed=Speed(asked.speed),
        seed=asked.seed + 1,
        durabilities=tuple(dict.fromkeys(subject.durability for subject in subjects)),
        payloads=tuple(dict.fromkeys(one.payload for one in suspected)),
        workloads=tuple(dict.fromkeys(one.workload for one in suspected)),
        pairs=tuple(dict.fromkeys(f"{subject.engine}+{subject.codec}" for subject in subjects)),
        proven=False,
    )
