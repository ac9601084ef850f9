"""Has anything become slower from one run to another? The gate: by effect and by interval, over all metrics together.

A run has some hundred metrics, so that a few of their 95 % intervals miss 1 by chance alone. The gate therefore asks of
each metric that it grew by more than the threshold, and that the lower end of its growth's interval, at a level that is
corrected for the number of metrics (Bonferroni, one end), lies above 1. What is slower can be asked of a fresh run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.config import LANGUAGES, ConfigError, Speed, StoresConfig
from benchmarks.results import Ratio, Raw, Subject
from benchmarks.samples import Cell, Samples
from benchmarks.statistics import TooFewBuilds, independent_ratio

COSTS = frozenset({"us", "us/request", "ms", "KiB", "bytes/agent"})
"""Units of which less is better."""
ALPHA = 0.05
"""Of all metrics together: so often a gate may find something where nothing is."""


class CannotRepeat(ConfigError):
    """A run can't be repeated from here, so what seems slower in it stands."""


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


def growths(before: Raw, after: Raw, fail_over: float, only: Collection[Cell] | None = None) -> list[Growth]:
    """Return the growth of each cost that both runs have; `fail_over` is a share, 0.1 for 10 %.

    `only` asks of some cells; then the correction is for their number. Cells with a single build are left out: one
    build has no interval.
    """
    old, new = Samples(before.samples), Samples(after.samples)
    units = {(one.metric, one.subject, one.payload): one.unit for one in after.samples}
    known = set(old.cells)
    cells = [cell for cell in new.cells if cell in known and units[cell] in COSTS and (only is None or cell in only)]
    strict = 1 - 2 * ALPHA / max(2, len(cells))  # two ends, of which only the lower is asked
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


def confirmed(suspected: Iterable[Growth], before: Raw, fresh: Raw, fail_over: float) -> list[Growth]:
    """Return those of the suspected that a fresh run shows too, as it shows them; nothing else is asked of it."""
    cells = {one.cell for one in suspected}
    return [one for one in growths(before, fresh, fail_over, cells) if one.is_slower]


def again(raw: Raw, suspected: Sequence[Growth], directory: Path) -> StoresConfig:
    """Return the run that measures the suspected again, and no more; of native stores all. Raises CannotRepeat.

    A run of servers can't be repeated from here: it is only known by what it found.
    """
    asked = raw.configuration
    if asked.bench != "stores":
        raise CannotRepeat(f"a run of `bench {asked.bench}` can't be confirmed; run it again yourself: {asked.command}")
    subjects = {one.subject: None for one in suspected}
    languages = tuple(dict.fromkeys(subject.language or LANGUAGES[0] for subject in subjects))
    is_native = any(subject.language for subject in subjects)
    return StoresConfig(
        directory=directory,
        speed=Speed(asked.speed),
        seed=asked.seed + 1,
        durabilities=tuple(dict.fromkeys(subject.durability for subject in subjects)),
        payloads=tuple(dict.fromkeys(one.payload for one in suspected)),
        workloads=tuple(dict.fromkeys(one.workload for one in suspected)),
        pairs=() if is_native else tuple(dict.fromkeys(f"{subject.engine}+{subject.codec}" for subject in subjects)),
        languages=languages,
        proven=False,
    )
