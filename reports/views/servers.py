"""What a comparison of servers found, in sentences."""

from __future__ import annotations

from benchmarks.results import Factor, Results
from reports.models import Run
from reports.numbers import times

BENCH = "targets"
"""What the configuration of such a run says."""


def compared(run: Run) -> Results | None:
    """Return the run's comparison of servers; None if it is no such run."""
    results = run.benchmarks
    return results if results is not None and results.raw.configuration.bench == BENCH else None


def findings(results: Results) -> str:
    """Return one sentence that says for each mix who answers more calls, or that the intervals don't tell."""
    told = [_finding(one) for one in results.judgement.factors]
    return "; ".join(told) + "." if told else "One server was measured, or none could be compared."


def _finding(factor: Factor) -> str:
    first, _, other = factor.change.partition(" to ")
    interval = factor.ratio.interval
    if interval.low <= 1 <= interval.high:
        return f"{factor.metric}: no difference between {first} and {other} that the intervals show"
    return f"{factor.metric}: {other} answers {times(factor.ratio.value)} as many calls as {first}"
