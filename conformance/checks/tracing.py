"""Step spans, for targets that export their traces to the suite: names, order and nesting of a create's steps."""

from __future__ import annotations

import time
from itertools import pairwise

from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange, Json, NotAsked
from conformance.judging import equal, problem
from conformance.session import Session
from conformance.verdict import CLOUD_ONLY_STEPS, CREATE_STEPS, Problem

PARENT = "agent-create"


def _create(session: Session) -> None:
    if session.client.spans is None:
        raise NotAsked("the suite isn't listening for traces: see --otlp-listen")
    began_ns = time.time_ns()
    session.need("create", "agent.create", session.agent())
    spans = session.client.spans.since(began_ns, _all_there)
    exchange = Exchange(
        seq=session.client.next_seq(),
        check=session.check,
        label="spans",
        step="traces",
        role="",
        method="(spans received)",
        request={"since_ns": began_ns},
        code="OK",
        responses=({"spans": spans},),
    )
    session.record(exchange)


def _all_there(seen: list[Json]) -> bool:
    """A parent ends after its children: once it, or the root of a trace with one of the steps, is in, all are."""
    traces = {span["trace"] for span in seen if span["name"] in CREATE_STEPS}
    return any(span["name"] == PARENT or (not span["parent"] and span["trace"] in traces) for span in seen)


def _parents(evidence: Evidence) -> list[Json]:
    return [span for span in evidence["spans"].value("spans", []) if span["name"] == PARENT]


def _children(evidence: Evidence) -> list[Json]:
    parents = {span["id"] for span in _parents(evidence)}
    return [span for span in evidence["spans"].value("spans", []) if span["parent"] in parents]


def _one_parent(evidence: Evidence) -> list[Problem]:
    names = sorted({span["name"] for span in evidence["spans"].value("spans", [])})
    count = len(_parents(evidence))
    return [] if count == 1 else [problem(f"{count} spans named {PARENT}", evidence["spans"], expected=1, actual=names)]


def _wanted(evidence: Evidence) -> list[str]:
    cloud = evidence.fact("profile") == "cloud"
    return [step for step in CREATE_STEPS if cloud or step not in CLOUD_ONLY_STEPS]


def _a_span_per_step(evidence: Evidence) -> list[Problem]:
    names = sorted(span["name"] for span in _children(evidence))
    return equal("child spans of the create", evidence["spans"], sorted(_wanted(evidence)), names)


def _in_order(evidence: Evidence) -> list[Problem]:
    steps = [span for span in _children(evidence) if span["name"] in CREATE_STEPS]
    by_start = [span["name"] for span in sorted(steps, key=lambda span: (span["start_ns"], span["end_ns"]))]
    found = equal("order of the steps", evidence["spans"], _wanted(evidence), by_start)
    ordered = sorted(steps, key=lambda span: (span["start_ns"], span["end_ns"]))
    for earlier, later in pairwise(ordered):
        if later["start_ns"] < earlier["end_ns"]:
            found.append(problem(f"{later['name']} begins before {earlier['name']} ends", evidence["spans"]))
    return found


CHECKS: tuple[Check, ...] = (
    check(
        "TRACE-PARENT",
        _create,
        _one_parent,
        also={"TRACE-STEPS": _a_span_per_step, "TRACE-ORDER": _in_order},
        alone=True,
    ),
)
