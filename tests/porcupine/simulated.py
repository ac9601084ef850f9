"""Histories of a register that is right, or wrong in one way, made without any server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from conformance.nemesis.history import FORMAT

PROCESSES = 4
CALLS = 24
SINS = ("", "swallows a write", "reads an old state", "brings back what was deleted", "refuses what it did")
RUN = {"type": "info", "process": "nemesis", "time": 0, "f": "run", "key": "", "value": {"format": FORMAT}}

State = tuple[str, str] | None


@dataclass
class _Planned:
    process: int
    f: str
    sent: dict[str, str]
    invoked: int
    effect: int
    returned: int
    unknown: bool
    answer: Any = None
    outcome: str = "ok"
    error: str = ""


@dataclass
class Simulation:
    """One key's history: calls that overlap, each with a moment at which it takes effect."""

    key: str
    random: Random
    sin: str = ""
    first_process: int = 0
    states: list[State] = field(default_factory=lambda: [None])

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines, in the order of their times."""
        calls = sorted(self._plan(), key=lambda call: call.effect)
        for call in calls:
            self._do(call)
        return sorted((line for call in calls for line in self._told(call)), key=lambda line: line["time"])

    def _plan(self) -> Iterator[_Planned]:
        chance, numbers = self.random, iter(range(CALLS * PROCESSES))
        clock = dict.fromkeys(range(PROCESSES), 0)
        fresh = iter(range(self.first_process + PROCESSES, self.first_process + 2 * CALLS))
        names = {number: self.first_process + number for number in range(PROCESSES)}
        for _ in range(CALLS):
            process = min(clock, key=lambda number: clock[number])
            invoked = clock[process] + chance.randint(1, 30)
            returned = invoked + chance.randint(2, 60)
            f = chance.choices(["create", "update", "delete", "read", "find"], [3, 4, 2, 3, 3])[0]
            unknown = chance.random() < 0.12
            late = chance.choice([0, 0, 200, 100_000]) if unknown else 0
            sent = {} if f == "find" else {"id": "r1"}
            if f in {"create", "update"}:
                sent = {"id": chance.choice(["", "r1"]) if f == "update" else "r1", "value": f"v{next(numbers)}"}
            yield _Planned(
                names[process], f, sent, invoked, chance.randint(invoked, returned) + late, returned, unknown
            )
            clock[process] = returned
            if unknown:
                names[process] = next(fresh)

    def _do(self, call: _Planned) -> None:
        state = self.states[-1]
        sins = bool(self.sin) and self.random.random() < 0.15
        if call.f in {"read", "find"}:
            seen = self.random.choice(self.states) if sins and self.sin == SINS[2] else state
            call.answer = None if seen is None else {"id": seen[0], "value": seen[1]}
            return
        is_there = state is not None
        if (call.f == "create") == is_there:
            call.outcome, call.error = "fail", "ALREADY_EXISTS" if is_there else "NOT_FOUND"
            return
        after: State = None if call.f == "delete" else ("r1", call.sent["value"])
        shown = state if call.f == "delete" else after
        call.answer = None if shown is None else {"id": shown[0], "value": shown[1]}
        if sins and self.sin == SINS[1]:
            return
        self.states.append(after)
        if sins and self.sin == SINS[3] and call.f == "delete":
            self.states.append(state)
        if sins and self.sin == SINS[4]:
            call.outcome, call.error, call.answer = "fail", "NOT_FOUND" if is_there else "ALREADY_EXISTS", None

    def _told(self, call: _Planned) -> Iterator[dict[str, Any]]:
        both = {"process": call.process, "f": call.f, "key": self.key}
        yield {**both, "type": "invoke", "time": call.invoked, "value": call.sent}
        if call.unknown:
            yield {**both, "type": "info", "time": call.returned, "value": None, "error": "UNAVAILABLE"}
        else:
            error = {"error": call.error} if call.error else {}
            yield {**both, "type": call.outcome, "time": call.returned, "value": call.answer, **error}


def histories(count: int, seed: int) -> list[dict[str, Any]]:
    """Return the lines of a history of so many keys, right ones and wrong ones."""
    rows = [RUN]
    for number in range(count):
        sin = SINS[number % len(SINS)]
        simulation = Simulation(f"h{number}", Random(f"{seed}-{number}"), sin, number * 10 * CALLS)
        rows += simulation.lines()
    return rows
