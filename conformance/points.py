"""Where a failure showed: which call ended how. What fails at the same call in the same way has, likely, one cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.evidence import Exchange
from conformance.known_failing import kind_of_failure
from conformance.verdict import Problem, Result, Verdict

UNREADABLE = "unreadable"
"""Stands in the place of a status where the answer's bytes can't be read."""


@dataclass(frozen=True, slots=True)
class Point:
    """A call by its method's short name (`instance.by_agent`), and how it ended: a status, or `UNREADABLE`."""

    method: str
    ending: str


@dataclass(frozen=True)
class Departure:
    """A requirement that isn't met or could not be tested, and where that showed."""

    result: Result
    exchanges: tuple[Exchange, ...]
    whole: bool
    """Whether each of its problems showed at one of these exchanges."""

    @property
    def id(self) -> str:
        """The requirement's id."""
        return self.result.id

    @property
    def failed(self) -> bool:
        """Whether it was judged and failed; else it could not be tested."""
        return self.result.verdict is not Verdict.UNTESTABLE

    @property
    def may_be_blocked(self) -> bool:
        """Whether it showed at calls alone that failed, or at reads that many checks look through.

        An answer that came and is wrong in what it holds is a failure of its own.
        """
        if not self.failed:
            return True
        return self.whole and all(row.code != "OK" or row.fault or _is_looked_through(row) for row in self.exchanges)

    @property
    def kinds(self) -> frozenset[str]:
        """The ways in which it failed."""
        return frozenset(kind_of_failure(problem) for problem in self.result.problems)

    @property
    def symptoms(self) -> frozenset[str]:
        """Its kinds, each with its id before it; the id alone where no way is told."""
        return frozenset(f"{self.id}: {kind}" for kind in self.kinds) or frozenset({self.id})

    def answered(self, status: str) -> frozenset[str]:
        """Those of its symptoms that are this status where another refusal would have been right."""
        shown = [one for one in self.result.problems if one.actual.partition(":")[0] == status]
        return frozenset(
            f"{self.id}: {kind_of_failure(one)}" for one in shown if may_be_refused(one) and status not in one.expected
        )

    @property
    def refusals(self) -> frozenset[str]:
        """Those of its symptoms that are a refusal of what should have succeeded."""
        unwanted = [one for one in self.result.problems if one.expected.partition(" ")[0] == "OK"]
        return frozenset(f"{self.id}: {kind_of_failure(problem)}" for problem in unwanted)

    @property
    def points(self) -> frozenset[Point]:
        """The points at which it showed."""
        return frozenset(point_of(exchange) for exchange in self.exchanges)


def may_be_refused(problem: Problem) -> bool:
    """Whether a refusal would have been right where a problem shows: OK alone was not asked for."""
    return problem.expected.partition(" ")[0] != "OK" or " or " in problem.expected


def _is_looked_through(exchange: Exchange) -> bool:
    return exchange.step in {"instance.by_agent", "policy.check", "event.watch"} or exchange.step.startswith("list.")


def point_of(exchange: Exchange) -> Point:
    """Return the point that an exchange ended at."""
    return Point(exchange.step, UNREADABLE if exchange.fault else exchange.code)


def departures(results: Iterable[Result], exchanges: Mapping[int, Exchange]) -> tuple[Departure, ...]:
    """Return what isn't met, and what could not be tested because the server refused a precondition.

    A requirement that is untestable for want of credentials says nothing about the server, and is left out.
    """
    found = (_departure(result, exchanges) for result in results)
    return tuple(one for one in found if one is not None)


def _departure(result: Result, exchanges: Mapping[int, Exchange]) -> Departure | None:
    if result.verdict in {Verdict.FAIL, Verdict.FLAKY, Verdict.KNOWN_FAILING}:
        at = [problem.exchange for problem in result.problems]
        shown = tuple(exchanges[seq] for seq in dict.fromkeys(at) if seq is not None and seq in exchanges)
        return Departure(result, shown, whole=bool(shown) and None not in at)
    if result.verdict is Verdict.UNTESTABLE and result.evidence and result.evidence[-1] in exchanges:
        return Departure(result, (exchanges[result.evidence[-1]],), whole=True)
    return None
