"""The rounds of a check: a failing one is run again, up to some times, under fresh names.

What fails in every round is a failure of the server. What fails in some is flaky: as red, and never retried into green.
In the evidence a later round stands under the check's id and its number (`ORD-RACE#2`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from conformance.evidence import Evidence, Exchange, Outcome, StoredRun
from conformance.verdict import HELD, Problem, Verdict


def of_round(evidence: Evidence, outcome: Outcome, number: int) -> tuple[Evidence, Outcome]:
    """Return what a round left behind under the name that it has in the evidence. The first has the check's own."""
    if number == 1:
        return evidence, outcome
    name = f"{evidence.check}#{number}"
    rows = tuple(replace(row, check=name) for row in evidence.exchanges)
    return replace(evidence, check=name, exchanges=rows), replace(outcome, check=name)


def is_later(name: str) -> bool:
    """Whether evidence of this name is of a round after a check's first."""
    return "#" in name


def later_rounds(stored: StoredRun, check: str) -> Iterator[tuple[Outcome, Evidence]]:
    """Yield outcome and evidence of each round of a check after its first."""
    for number in count(2):
        name = f"{check}#{number}"
        if name not in stored.outcomes:
            return
        yield stored.outcomes[name], stored.evidence[name]


@dataclass(frozen=True)
class Round:
    """What one round says of a requirement."""

    verdict: Verdict
    problems: tuple[Problem, ...]
    reason: str
    evidence: Evidence


@dataclass(frozen=True)
class Settled:
    """What all rounds together say: as `conformance.verdict.Result`."""

    verdict: Verdict
    problems: tuple[Problem, ...]
    reason: str
    evidence: tuple[int, ...]
    beside: tuple[int, ...] = ()


def settle(rounds: list[Round]) -> Settled:
    """Return the verdict of the first round, or FLAKY where some failed and others didn't."""
    first = rounds[0]
    failed = [one for one in rounds if one.verdict is Verdict.FAIL]
    held = [one for one in rounds if one.verdict in HELD]
    if not failed or not held:
        return Settled(first.verdict, first.problems, first.reason, _numbers(first.evidence.exchanges))
    worst, best = failed[0], held[0]
    shown = {problem.exchange for problem in worst.problems}
    labels = {row.label for row in worst.evidence.exchanges if row.seq in shown}
    beside = tuple(row for row in best.evidence.exchanges if row.label in labels)
    rate = f"failed in {len(failed)} of {len(failed) + len(held)} rounds"
    return Settled(Verdict.FLAKY, worst.problems, rate, _numbers(worst.evidence.exchanges), _numbers(beside))


def _numbers(exchanges: tuple[Exchange, ...]) -> tuple[int, ...]:
    return tuple(row.seq for row in exchanges)
