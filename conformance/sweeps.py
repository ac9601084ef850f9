"""The no-trace sweep: after a refused create, every read path must show nothing of it."""

from __future__ import annotations

from conformance.evidence import Evidence, Exchange, value_at
from conformance.judging import Judge, not_found, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.session import Session
from conformance.verdict import Problem

LIST_PAGE = 1000
LIST_PAGES_MAX = 100


def sweep(session: Session, label: str, kind: str, request: Proto, *, role: str | None = None) -> None:
    """Look for a refused create through get, slug lookup, default instance, list and policies.

    The request must carry an id of its own; the slug lookup needs a slug or a name that is its own slug. `role` is who
    was refused.
    """
    metadata = request.metadata
    slug = metadata.slug or metadata.name
    session.note(f"{label}.id", metadata.id)
    session.note(f"{label}.slug", slug)
    session.read(f"{label}.get", kind, metadata.id)
    if slug:
        session.find(f"{label}.reference", kind, slug, metadata.org)
    if kind == "agent":
        by_agent = METHODS["instance.by_agent"].request(agent_id=metadata.id)
        session.call(f"{label}.instances", "instance.by_agent", by_agent)
        if slug:
            session.find(f"{label}.default", "instance", f"{slug}-default", metadata.org)
    if session.offers("list") and metadata.org:
        read_list(session, f"{label}.list", kind, metadata.org)
    if session.cloud:
        _sweep_policies(session, label, kind, metadata, session.context.caller if role is None else role)


def _sweep_policies(session: Session, label: str, kind: str, metadata: Proto, role: str) -> None:
    resource = (KINDS[kind].name, metadata.id)
    # A server may hold an operator for owner of everything, so asking about one tells nothing.
    if role in session.context.roles and role != "operator":
        session.holds(f"{label}.owner", ("identity_account", session.context.identity(role)), "owner", resource)
    if metadata.org:
        session.holds(f"{label}.parent", ("organization", metadata.org), "organization", resource)


def no_trace(label: str = "sweep") -> Judge:
    """Judge: a sweep with this label found nothing."""

    def judge(evidence: Evidence) -> list[Problem]:
        resource_id, slug = evidence.fact(f"{label}.id"), evidence.fact(f"{label}.slug")
        return [
            found
            for exchange in evidence.under(f"{label}.")
            for found in _judge_one(exchange, exchange.label.removeprefix(f"{label}."), resource_id, slug)
        ]

    return judge


def _judge_one(exchange: Exchange, part: str, resource_id: str, slug: str) -> list[Problem]:
    part = part.partition(".")[0]
    if part in {"get", "reference", "default"}:
        clean = not_found(exchange)
    elif part == "instances":
        clean = not_found(exchange) or (exchange.ok and not exchange.value("items", []))
    elif part == "list":
        rows = exchange.value("items", [])
        seen = {(value_at(row, "metadata.id"), value_at(row, "metadata.slug")) for row in rows}
        clean = exchange.ok and not any(resource_id == one or (slug and slug == two) for one, two in seen)
    else:
        clean = exchange.ok and not exchange.value("is_authorized", default=False)
    if clean:
        return []
    if not exchange.ok:
        text = f"whether the refused request left a trace can't be told by {part}"
        actual = exchange.fault or ": ".join(filter(None, (exchange.code, exchange.message)))
        asked = "OK" if part in {"list", "owner", "parent"} else "NOT_FOUND"
        return [problem(text, exchange, expected=asked, actual=actual)]
    return [problem(f"trace of the refused request in {part}", exchange, expected="nothing", actual=exchange.code)]


def page(org: str, size: int, token: str = "", *, kind: str = "agent") -> Proto:
    """Return a request for one page of a listing."""
    request = METHODS[KINDS[kind].list_method].request(org=org)
    request.page.size, request.page.page_token = size, token
    return request


def read_list(
    session: Session, label: str, kind: str, org: str, *, role: str | None = None, size: int = LIST_PAGE
) -> None:
    """Read a listing to its end: a page may hold less than was asked for, where resources are large for example.

    The first page has the label, the others `label.1`, `label.2`, ...
    """
    token = ""
    for number in range(LIST_PAGES_MAX):
        request = page(org, size, token, kind=kind)
        answer = session.call(f"{label}.{number}" if number else label, KINDS[kind].list_method, request, role=role)
        token = answer.message.next_page_token if answer.ok else ""
        if not token:
            break


def pages_of(evidence: Evidence, label: str) -> tuple[Exchange, ...]:
    """Return the pages that `read_list` has read. Raises MissingEvidence where it wasn't called."""
    return (evidence[label], *evidence.under(f"{label}."))
