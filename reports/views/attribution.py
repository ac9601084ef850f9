"""What a gain is made of: one row per metric, payload class and durability mode; and what an fsync costs each store."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results import Factor, Ratio
from reports.models import Run

PARTS = ("codec", "engine", "interaction")
WHOLE = "whole"
DURABILITY = "durability"


@dataclass(frozen=True, slots=True)
class AttributionRow:
    """The factors of one ratio, by name; a factor that could not be computed is missing."""

    metric: str
    payload: str
    durability: str
    ratios: dict[str, Ratio]
    changes: dict[str, str]

    @property
    def biggest(self) -> str:
        """The part that changes most, either way; empty when none was computed."""
        parts = {name: self.ratios[name].value for name in ("codec", "engine") if name in self.ratios}
        return max(parts, key=lambda name: max(parts[name], 1 / parts[name])) if all(parts.values()) and parts else ""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Both tables. `durability` holds one factor per metric, payload class and store."""

    rows: tuple[AttributionRow, ...]
    durability: tuple[Factor, ...]


def attribution(run: Run) -> Attribution:
    """Return the attribution of a run, empty where no benchmark was run."""
    factors = run.benchmarks.judgement.factors if run.benchmarks else ()
    groups: dict[tuple[str, str, str], list[Factor]] = {}
    for factor in factors:
        if factor.name != DURABILITY:
            groups.setdefault((factor.metric, factor.payload, factor.durability), []).append(factor)
    return Attribution(
        rows=tuple(
            AttributionRow(*key, {one.name: one.ratio for one in group}, {one.name: one.change for one in group})
            for key, group in groups.items()
        ),
        durability=tuple(factor for factor in factors if factor.name == DURABILITY),
    )
