"""What a gain is made of: one row per metric, payload class and durability mode; and what an fsync costs each store."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results import Factor, Ratio
from reports.models import Run

PARTS = ("codec", "engine", "interaction", "language")
WHOLE = "whole"
DURABILITY = "durability"


@dataclass(frozen=True, slots=True)
class AttributionRow:
    """The factors of one ratio, by name; one that could not be computed is missing. `whole` names its stores."""

    metric: str
    payload: str
    durability: str
    whole: str
    ratios: dict[str, Ratio]
    changes: dict[str, str]

    @property
    def mostly(self) -> str:
        """The part that changes more, whatever the direction, beyond the intervals; empty where they can't tell."""
        if not {"codec", "engine"} <= self.ratios.keys():
            return ""
        codec, engine = _strength(self.ratios["codec"]), _strength(self.ratios["engine"])
        return "codec" if codec[0] > engine[1] else "engine" if engine[0] > codec[1] else ""


def _strength(ratio: Ratio) -> tuple[float, float]:
    """How much a factor changes at least and at most, up or down: 0.5x is as strong as 2x."""
    low, high = ratio.interval.low, ratio.interval.high
    if low <= 0:
        return 1.0, float("inf")
    ends = sorted((max(low, 1 / low), max(high, 1 / high)))
    return (1.0 if low <= 1 <= high else ends[0]), ends[1]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Both tables. `durability` holds one factor per metric, payload class and store."""

    rows: tuple[AttributionRow, ...]
    durability: tuple[Factor, ...]


def attribution(run: Run) -> Attribution:
    """Return the attribution of a run, empty where no benchmark was run."""
    factors = run.benchmarks.judgement.factors if run.benchmarks else ()
    groups: dict[tuple[str, str, str, str], list[Factor]] = {}
    for factor in factors:
        if factor.name != DURABILITY:
            groups.setdefault((factor.metric, factor.payload, factor.durability, factor.whole), []).append(factor)
    return Attribution(
        rows=tuple(
            AttributionRow(*key, {one.name: one.ratio for one in group}, {one.name: one.change for one in group})
            for key, group in groups.items()
        ),
        durability=tuple(factor for factor in factors if factor.name == DURABILITY),
    )
