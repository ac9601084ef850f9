"""The evidence of a run: what each check left behind, and all that its judges may read.

What a run does before its first check and after its last (memberships of its roles, the look at the target's
messages) stands under the names `SETUP`, `WIRE` and `LEAVING` like the exchanges of a check; nothing is judged by it.
How it is kept: `conformance.evidence_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from conformance.verdict import RunInfo

Json: TypeAlias = Any
"""Any JSON value."""

SETUP, WIRE, LEAVING = "setup", "wire", "leaving"


class NotAsked(Exception):
    """An exercise has nothing to ask this target, or a judge finds that it wasn't asked; the reason is the message."""


class MissingEvidence(Exception):
    """A judge asked for an exchange that the exercise never made: a fault of the suite."""


@dataclass(frozen=True)
class Exchange:
    """One call and its answer, as plain JSON values (field names as in the .proto files).

    `label` is the part that the exchange plays in its check; `step` the create step or operation it belongs to;
    `role` who called; `method` the full gRPC path. `responses` holds one message for a unary call that succeeded,
    any number for a stream. `fault` says what was wrong with the answer's bytes. `wire` holds the answer's bytes in
    base64 where a check asked for them (JSON can't show unknown fields). `lost` says that the connection ended under
    the call, so that nobody knows what the server did. Times are milliseconds, `at_ms` since the run began.
    """

    seq: int
    check: str
    label: str
    step: str
    role: str
    method: str
    request: Any
    code: str
    message: str = ""
    details: tuple[Any, ...] = ()
    responses: tuple[Any, ...] = ()
    fault: str = ""
    wire: str = ""
    lost: bool = False
    at_ms: float = 0.0
    elapsed_ms: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the call succeeded and its answer could be read."""
        return self.code == "OK" and not self.fault

    @property
    def response(self) -> dict[str, Any]:
        """The (first) answer; empty where there is none."""
        return dict(self.responses[0]) if self.responses else {}

    def value(self, path: str, default: Json = "") -> Json:
        """Return the answer's field at a dotted path; `default` where it isn't set (proto3 leaves defaults out)."""
        return value_at(self.response, path, default)


def value_at(document: Json, path: str, default: Json = "") -> Json:
    """Return the value at a dotted path in nested JSON objects, `default` where there is none; "" is the whole."""
    current = document
    for part in path.split(".") if path else ():
        if not isinstance(current, Mapping) or part not in current:
            return default
        current = current[part]
    return current


class Ending(StrEnum):
    """How the exercise of a check ended."""

    EXERCISED = "exercised"
    UNTESTABLE = "untestable"
    NOT_APPLICABLE = "not_applicable"
    NOT_RUN = "not_run"
    HARNESS_ERROR = "harness_error"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the exercise of one check ended, and why if it didn't reach its end."""

    check: str
    ending: Ending
    reason: str = ""
    duration_ms: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """Everything that one check left behind: all that its judges may read."""

    check: str
    exchanges: tuple[Exchange, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def _by_label(self) -> dict[str, Exchange]:
        return {exchange.label: exchange for exchange in self.exchanges}

    def __getitem__(self, label: str) -> Exchange:
        """Return the (last) exchange of this label. Raises MissingEvidence."""
        try:
            return self._by_label[label]
        except KeyError:
            raise MissingEvidence(f"check {self.check} has no exchange {label!r}") from None

    def __contains__(self, label: str) -> bool:
        return label in self._by_label

    def under(self, prefix: str) -> tuple[Exchange, ...]:
        """Return all exchanges whose label begins with a prefix, in the order they were made."""
        return tuple(exchange for exchange in self.exchanges if exchange.label.startswith(prefix))

    def fact(self, name: str) -> Json:
        """Return what the exercise noted under this name. Raises MissingEvidence."""
        try:
            return self.facts[name]
        except KeyError:
            raise MissingEvidence(f"check {self.check} noted no {name!r}") from None


@dataclass(frozen=True)
class StoredRun:
    """An evidence file, read whole: the run, the evidence and the outcome of each check, and the run's end."""

    run: RunInfo
    evidence: Mapping[str, Evidence]
    outcomes: Mapping[str, Outcome]
    leaks: tuple[str, ...]
    known_failing: tuple[Mapping[str, Any], ...] = ()
    """The entries of the known-failing file that the run was held against, as it was then."""
    judged_on: str = ""
    """The day (UTC, ISO 8601) on which they were looked at: entries expire."""
