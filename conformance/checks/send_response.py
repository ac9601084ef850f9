"""Step SendResponse of create: the answer is the new state, as every read shows it to the same caller."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked, value_at
from conformance.judging import NO_LIST, answered, differences, problem, same_answer
from conformance.session import Session
from conformance.sweeps import pages_of, read_list
from conformance.verdict import Problem


def _create(session: Session) -> None:
    made = session.call("create", "agent.create", samples.full_agent(session.name(), session.org))
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)
        session.find("find", "agent", made.message.metadata.slug)
        if session.offers("list"):
            read_list(session, "list", "agent", session.org)


def _same_in_list(evidence: Evidence) -> list[Problem]:
    created = evidence["create"]
    if not created.ok:
        return answered(created, "OK")
    if "list" not in evidence:
        raise NotAsked(NO_LIST)
    pages, made = pages_of(evidence, "list"), created.value("metadata.id")
    rows = [(row, one) for one in pages for row in one.value("items", []) if value_at(row, "metadata.id") == made]
    if not rows:
        return [*answered(pages[-1], "OK"), problem("the new agent isn't in the list", pages[-1], expected=made)]
    return differences(created.response, *rows[0])


CHECKS: tuple[Check, ...] = (
    check(
        "SEND-GET",
        _create,
        same_answer("create", "get"),
        also={"SEND-REFERENCE": same_answer("create", "find"), "SEND-LIST": _same_in_list},
    ),
)
