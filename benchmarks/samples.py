"""Raw samples, ordered for the statistics: one median per round, rounds per build."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from benchmarks.results import Sample, Subject
from benchmarks.statistics import Nested, median

Cell = tuple[str, Subject, str]
"""Metric, subject, payload class."""


class Samples:
    """All samples of a run, found by metric, subject and payload class. Never changed after it was made."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        """Sort the samples into cells."""
        self._cells: dict[Cell, list[Sample]] = defaultdict(list)
        for sample in samples:
            self._cells[sample.metric, sample.subject, sample.payload].append(sample)

    @property
    def cells(self) -> list[Cell]:
        """Every cell that has samples, in the order of their first sample."""
        return list(self._cells)

    def of(self, metric: str, subject: Subject, payload: str) -> list[Sample]:
        """Return the samples of a cell. Raises LookupError."""
        found = self._cells.get((metric, subject, payload))
        if not found:
            raise LookupError(f"no {metric} samples of {subject.label} with {payload} agents in this run")
        return found

    def nested(self, metric: str, subject: Subject, payload: str) -> Nested:
        """Return the median of each round, by build. Raises LookupError."""
        builds: dict[int, dict[int, float]] = defaultdict(dict)
        for sample in self.of(metric, subject, payload):
            builds[sample.build][sample.round] = median(sample.values)
        return tuple(tuple(rounds[index] for index in sorted(rounds)) for _, rounds in sorted(builds.items()))

    def workload_of(self, metric: str) -> str:
        """Return the workload that measured a metric; empty if none did."""
        return next((samples[0].workload for (name, _, _), samples in self._cells.items() if name == metric), "")
