"""Step SendResponse of create: the answer is the new state, as every read shows it to the same caller."""

from __future__ import annotations

from conformance import samples
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked, value_at
from conformance.judging import NO_LIST, answered, differences, problem, same_answer
from conformance.session import Session
from conformance.sweeps import LIST_PAGE, page
from conformance.verdict import Problem


def _create(session: Session) -> None:
    made = session.call("create", "agent.create", samples.full_agent(session.name(), session.org))
    if made.ok:
        session.read("get", "agent", made.message.metadata.id)
        session.find("find", "agent", made.message.metadata.slug)
        if session.offers("list"):
            session.call("list", "list.agents", page(session.org, LIST_PAGE))


def _same_in_list(evidence: Evidence) -> list[Problem]:
    created = evidence["create"]
    if not created.ok:
        return answered(created, "OK")
    if "list" not in evidence:
        raise NotAsked(NO_LIST)
    exchange = evidence["list"]
    made = created.value("metadata.id")
    rows = [row for row in exchange.value("items", []) if value_at(row, "metadata.id") == made]
    if not rows:
        return [*answered(exchange, "OK"), problem("the new agent isn't in the list", exchange, expected=made)]
    return differences(created.response, rows[0], exchange)


CHECKS: tuple[Check, ...] = (
    check(
        "SEND-GET",
        _create,
        same_answer("create", "get"),
        also={"SEND-REFERENCE": same_answer("create", "find"), "SEND-LIST": _same_in_list},
    ),
)
