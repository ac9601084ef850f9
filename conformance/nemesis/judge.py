"""The judge of a nemesis run: pure, from a history to a verdict on each rule, so it can be asked again offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from conformance.nemesis import event_rules, lasting
from conformance.nemesis.bites import Bite, bites, meetings
from conformance.nemesis.history import Call, History
from conformance.nemesis.register import WRITES, Undecided, first_unexplained, telling, with_lists
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, EXIT_NOT_CONFORMANT, RED, Verdict

MEETINGS_MIN = 10
ACKNOWLEDGED_MIN = 20
PROBLEMS_MAX = 10
"""So many problems of one rule are told; more are counted."""

SENTENCES: Mapping[str, str] = {
    "NEM-FAULTS": "every fault that was asked for struck, hurt calls, and met calls that overlapped",
    "NEM-RECOVER": "after its faults the target answers again",
    "NEM-LINEAR": "each resource is one register: one order of its calls, each between its begin and its end, "
    "explains every answer, lists included; so does one of grants, revocations and what they allow",
    "NEM-LOST": "no acknowledged write is lost",
    "NEM-DELETE": "what was deleted doesn't come back",
    "NEM-SLUG": "a slug never has two resources",
    "NEM-WHOLE": "an agent is there with its default instance and its policies, or not at all",
    "NEM-EVENT-LOST": "every acknowledged change is announced, and no watch goes past an event",
    "NEM-EVENT-TWICE": "no change and no position is announced twice",
    "NEM-EVENT-ORDER": "events have the order of the changes, of each resource and of each watch",
    "NEM-EVENT-TRUE": "only what happened is announced",
}
"""What is asked for under faults, by id."""


@dataclass(frozen=True, slots=True)
class Row:
    """The verdict on one rule. `reason` says why there is neither PASS nor FAIL."""

    id: str
    sentence: str
    verdict: Verdict
    problems: tuple[str, ...] = ()
    problems_count: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NemesisReport:
    """What a nemesis run came to."""

    run: Mapping[str, Any]
    rows: tuple[Row, ...]
    bites: tuple[Bite, ...]
    figures: Mapping[str, int]
    incomplete: str = ""
    """Why the run didn't come to its end; empty where it did."""
    leaks: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """What the command line ends with: as `parity conform` does."""
        red = {row.verdict for row in self.rows} & RED
        if Verdict.FAIL in red:
            return EXIT_NOT_CONFORMANT
        if self.incomplete:
            return EXIT_INCOMPLETE
        return EXIT_NOT_CONFORMANT if red or self.leaks else EXIT_CONFORMANT

    def of(self, name: str) -> Row:
        """Return the row of a rule."""
        return next(row for row in self.rows if row.id == name)

    def failing(self) -> tuple[str, ...]:
        """Return the ids of what failed."""
        return tuple(row.id for row in self.rows if row.verdict is Verdict.FAIL)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {**asdict(self), "exit_code": self.exit_code, "failing": list(self.failing())}


def judge(history: History) -> NemesisReport:
    """Judge a history."""
    calls = event_rules.with_announced(history)
    by_key = with_lists(calls)
    found, undecided = _orders(by_key)
    struck = tuple(bites(history))
    rows = [
        _faults(history, struck),
        _row("NEM-RECOVER", _recovery(history)),
        _linear(found, undecided),
        *(_row(name, _of_keys(rule, by_key)) for name, rule in _LASTING.items()),
        _row("NEM-WHOLE", _halves(history)),
        *(_row(name, rule(history), _no_events(history)) for name, rule in _EVENTS.items()),
    ]
    figures = _figures(history, by_key, undecided)
    ending = history.ending
    incomplete = "" if ending.get("complete") else ending.get("reason") or "its history ends before the run did"
    return NemesisReport(history.run, tuple(rows), struck, figures, incomplete, tuple(ending.get("leaks", ())))


_LASTING: Mapping[str, Callable[[list[Call]], Iterator[str]]] = {
    "NEM-LOST": lasting.lost,
    "NEM-DELETE": lasting.came_back,
    "NEM-SLUG": lasting.doubled,
}
_EVENTS: Mapping[str, Callable[[History], Iterator[str]]] = {
    "NEM-EVENT-LOST": event_rules.lost,
    "NEM-EVENT-TWICE": event_rules.twice,
    "NEM-EVENT-ORDER": event_rules.disordered,
    "NEM-EVENT-TRUE": event_rules.untrue,
}


def _row(name: str, problems: Iterator[str], not_asked: str = "") -> Row:
    if not_asked:
        return Row(name, SENTENCES[name], Verdict.NOT_APPLICABLE, reason=not_asked)
    told = list(islice(problems, PROBLEMS_MAX))
    count = len(told) + sum(1 for _ in problems)
    return Row(name, SENTENCES[name], Verdict.FAIL if told else Verdict.PASS, tuple(told), count)


def _of_keys(rule: Callable[[list[Call]], Iterator[str]], by_key: Mapping[str, list[Call]]) -> Iterator[str]:
    return (f"{key}: {problem}" for key, calls in by_key.items() for problem in rule(calls))


def _orders(by_key: Mapping[str, list[Call]]) -> tuple[dict[str, Call], list[str]]:
    """Return the first call that no order explains by its key, and the keys with too many orders to try."""
    found, undecided = dict[str, Call](), list[str]()
    for key, calls in by_key.items():
        try:
            if (call := first_unexplained(calls)) is not None:
                found[key] = call
        except Undecided:
            undecided.append(key)
    return found, undecided


def _linear(found: Mapping[str, Call], undecided: list[str]) -> Row:
    name = "NEM-LINEAR"
    if found or not undecided:
        return _row(
            name, (f"{key}: no order of its calls explains {lasting.told(call)}" for key, call in found.items())
        )
    told = f"{len(undecided)} resources have too many possible orders to try, such as {undecided[0]}"
    return Row(name, SENTENCES[name], Verdict.UNTESTABLE, reason=f"{told}: fewer faults, or a shorter run, would do")


def _faults(history: History, struck: tuple[Bite, ...]) -> Row:
    name = "NEM-FAULTS"
    lacking = [f"{bite.fault} struck {bite.strikes} times and hurt no call" for bite in struck if not bite.bit]
    if (met := meetings(history.calls)) < MEETINGS_MIN:
        lacking.append(f"{met} calls of one resource overlapped; {MEETINGS_MIN} are needed to say anything")
    acknowledged = sum(1 for call in history.calls if call.ok and call.f in WRITES)
    if acknowledged < ACKNOWLEDGED_MIN:
        lacking.append(f"{acknowledged} writes were acknowledged; {ACKNOWLEDGED_MIN} are needed to say anything")
    if not lacking:
        return Row(name, SENTENCES[name], Verdict.PASS)
    return Row(name, SENTENCES[name], Verdict.UNTESTABLE, reason=f"{'; '.join(lacking)}: a longer run may do")


def _recovery(history: History) -> Iterator[str]:
    if dead := history.ending.get("dead", ""):
        yield str(dead)


def _halves(history: History) -> Iterator[str]:
    """Yield agents of which a part is missing, and instances of agents that never were deleted and aren't there."""
    agents = set[str]()
    for call in history.calls:
        if call.f == "whole" and call.ok and call.answer is not None:
            agents.add(call.answer["id"])
            if missing := call.answer["missing"]:
                yield f"{call.key}: agent {call.answer['id']} is there without: {', '.join(missing)}"
    gone = {call.sent["id"] for call in history.calls if call.f == "delete" and call.outcome != "fail"}
    for call in history.calls:
        for row in call.answer if call.f == "instances" and call.ok else ():
            if row["agent"] not in agents | gone:
                yield f"instance {row['id']} is there, and its agent {row['agent']} isn't, which nobody deleted"


def _no_events(history: History) -> str:
    return "" if history.run.get("events") else "the target has no event channel, or none in this profile"


def _figures(history: History, by_key: Mapping[str, list[Call]], undecided: list[str]) -> dict[str, int]:
    outcomes = [call.outcome for call in history.calls]
    return {
        "calls": len(history.calls),
        "ok": outcomes.count("ok"),
        "refused": outcomes.count("fail"),
        "unknown": outcomes.count("info"),
        "resources": len(by_key),
        "overlapping": meetings(history.calls),
        "judged": sum(len(telling(calls)) for calls in by_key.values()),
        "undecided": len(undecided),
        "events": len(event_rules.watched(history, "replay")),
    }
