"""How quiet the machine was: a probe of it before, during and after each visit, and what that does to an interval.

The interval from the builds of one run holds what differed between them, but not what lasted as long as the run: with a
core taken by somebody else an engine that works in the background becomes several times slower, and one that doesn't
stays as it was. So each visit notes which part of the machine's processor time others took, and how long a fixed piece
of work took right before and right after it. Both widen the interval of a ratio of times, by a factor each:

- others who took a share s of the machine may have taken it from either side, once directly and once more because
  whoever wakes up waits for a core first: 1 / (1 - s)^2;
- where the fixed work certainly took longer beside the one side's visits than beside the other's: the least that this
  ratio may be. What only may be so is chance, and is in the interval already.

What differs between whole runs on a quiet machine (where the files lie, where the memory lies) is a factor of its own.
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev

from benchmarks.results import Interval, Noise, Ratio, Subject
from benchmarks.statistics import median

TIMES = frozenset({"us", "ms"})
"""Units of what a busy machine makes longer. Bytes on disk are the same on any machine."""
BETWEEN_RUNS = 1.05
"""How far the ratios of times of two whole runs lie apart, beyond their own intervals, with nobody else there.

`python -m benchmarks.repeated --runs 20` judged it on a machine that nobody else used, with a core taken in every other
run: of the intervals of quiet runs 196 of 200 held the middle of all quiet runs, and no cell of 20 turned around.
"""
BUSY = 0.05
"""Share of the machine that others may take before it is called busy.

In the same 20 runs it kept 1 of 200 judgements from a verdict when quiet, and 98 of the 120 of times with a core taken.
"""
SHARE_MAX = 0.9
_PROBE_LOOPS, _PROBE_REPEATS = 2_000, 5
_TICKS_S = os.sysconf("SC_CLK_TCK")
_STAT = Path("/proc/stat")


@dataclass(slots=True)
class Watch:
    """What was seen while a visit lasted; filled when it has ended."""

    others_s: float = 0.0
    seconds: float = 0.0
    probe_us: float = 0.0


@contextmanager
def watched(child: Callable[[], int | None]) -> Iterator[Watch]:
    """Probe the machine around and during what is done within; `child` is a process that lives on and belongs to it."""
    seen = Watch()
    before = probe_us()
    began, busy, own = time.monotonic(), _busy_s(), _own_s(child())
    try:
        yield seen
    finally:
        seen.seconds = time.monotonic() - began
        seen.others_s = (_busy_s() - busy) - (_own_s(child()) - own)
        seen.probe_us = (before + probe_us()) / 2


def probe_us() -> float:
    """Return how long a fixed piece of work takes right now: the middle of some repeats, microseconds."""
    return median([_fixed_work_us() for _ in range(_PROBE_REPEATS)])


def _fixed_work_us() -> float:
    begin = time.perf_counter_ns()
    total = 0
    for number in range(_PROBE_LOOPS):
        total ^= number * number
    return (time.perf_counter_ns() - begin) / 1_000


def _busy_s() -> float:
    """Return the processor time that all processes, and other guests of the host, have taken from this machine."""
    if not _STAT.exists():
        return _own_s(None)  # Nothing can be said of others here.
    row = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, steal = map(int, row[1:9])
    return (user + nice + system + interrupts + soft_interrupts + steal) / _TICKS_S


def _own_s(child: int | None) -> float:
    """Return the processor time of this process, of its children that have ended, and of one that lives."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used) + (0.0 if child is None else _used_by_s(child))


def _used_by_s(pid: int) -> float:
    """Return the processor time of a process; nothing of one that is gone."""
    try:
        row = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(row[11]) + int(row[12])) / _TICKS_S


@dataclass(frozen=True, slots=True)
class Quietness:
    """What was seen of the machine over all visits of a comparison: others' share (0 to 1), and the probes' ratio."""

    share: float
    unevenness: float

    @property
    def widening(self) -> float:
        """The factor by which the ends of an interval go outwards."""
        return self.unevenness / (1 - self.share) ** 2

    def in_words(self) -> str:
        """Say why the machine counts as busy; empty when it doesn't."""
        if self.share >= BUSY:
            return f"the machine was busy: others took {self.share:.0%} of it".replace("%", " %")
        if self.unevenness >= 1 + BUSY:
            return f"the machine was busy: it was {self.unevenness:.2f}x as slow for one side as for the other"
        return ""


class Noises:
    """What was seen of the machine in a run, found by workload, subject and payload class."""

    def __init__(self, seen: Iterable[Noise], cores: int) -> None:
        """Sort the visits."""
        self._cores = cores
        self._visits: dict[tuple[str, Subject, str], list[Noise]] = {}
        for one in seen:
            self._visits.setdefault((one.workload, one.subject, one.payload), []).append(one)

    def around(self, workload: str, payload: str, *sides: Subject) -> Quietness:
        """Return how quiet it was while two sides were measured; all quiet where nothing was noted."""
        visits = [self._visits.get((workload, side, payload), []) for side in sides]
        everything = [one for each in visits for one in each]
        seconds = sum(one.seconds for one in everything)
        if not seconds or not all(visits):
            return Quietness(0.0, 1.0)
        share = sum(one.others_s for one in everything) / (seconds * self._cores)
        pairs = [math.log(one.probe_us / other.probe_us) for one, other in zip(*visits, strict=False)]
        return Quietness(min(max(share, 0.0), SHARE_MAX), math.exp(_certainly(pairs)))


def _certainly(differences: Sequence[float]) -> float:
    """Return how far from zero the mean of some differences is at least: the nearer end of its 95 % interval."""
    error = stdev(differences) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    return max(0.0, abs(fmean(differences)) - NormalDist().inv_cdf(0.975) * error)


def widened(found: Ratio, factor: float) -> Ratio:
    """Return a ratio whose interval reaches further by a factor, both ways."""
    low, high, level = found.interval.low, found.interval.high, found.interval.level
    return Ratio(found.value, Interval(low / factor, high * factor, level))
