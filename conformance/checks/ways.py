"""Whoever isn't an operator reaches his own in every way: by slug and by name, page by page, from a position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

from conformance.check import Check, check
from conformance.evidence import Evidence, Exchange
from conformance.judging import answered, differences, equal
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem
from conformance.watching import Watch, events_about
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization

_ROLE = "nobody"
_SIZE = 2
_PAGES_MAX = 5
_BY_AGENT = "instance.by_agent"


def _exercise(kind: str) -> Callable[[Session], None]:
    """Everything is of an organization of this check's own, whose admin the caller is: nothing else is in its lists."""

    def exercise(session: Session) -> None:
        account = ("identity_account", session.context.identity(_ROLE))
        session.grant("grant", account, "admin", ("organization", session.own_org))
        parent = session.created_agent("parent", role=_ROLE, org=session.own_org)
        with Watch(session, "watch", role=_ROLE) if session.offers("watch") else nullcontext() as watch:
            made = session.need("made", f"{kind}.create", _new(session, kind, parent), role=_ROLE)
            _create(session, kind, parent)
            _change(session, kind, parent, made)
            if watch is not None:
                watch.wait_for(made.metadata.id, 5)
                _watch_again(session, watch, made)
        _find(session, kind, made)
        _walk(session, kind, parent)

    return exercise


def _new(session: Session, kind: str, parent: Proto) -> Proto:
    request = new_resource(session, kind, parent.metadata.id)
    request.metadata.org = session.own_org
    return request


def _create(session: Session, kind: str, parent: Proto) -> None:
    for name, resource_id in (("slug", ""), ("slug_and_id", session.new_id(kind))):
        request = _new(session, kind, parent)
        request.metadata.slug, request.metadata.id = f"s-{request.metadata.name}", resource_id
        session.call(f"create.{name}", f"{kind}.create", request, role=_ROLE)


def _change(session: Session, kind: str, parent: Proto, made: Proto) -> None:
    """By the name, of which the slug is made, then by the slug, beside which the name is another."""
    for way in ("name", "slug"):
        for operation in ("update", "apply"):
            request = _new(session, kind, parent)
            if way == "name":
                request.metadata.name = made.metadata.name
            else:
                request.metadata.slug = made.metadata.slug
            request.spec.description = f"changed by {session.name()}"
            session.call(f"change.{way}.{operation}", f"{kind}.{operation}", request, role=_ROLE)
    session.read("after", kind, made.metadata.id, role=_ROLE)


def _watch_again(session: Session, watch: Watch, made: Proto) -> None:
    for label, subject in (("again", ""), ("again.one", made.metadata.id)):
        with Watch(session, label, role=_ROLE, after=watch.began_after, subject=subject) as again:
            again.wait_for(made.metadata.id, 5)


def _find(session: Session, kind: str, made: Proto) -> None:
    method = f"{kind}.by_reference"
    for name, org, scope in (("slug", "", 0), ("scope", "", organization), ("both", made.metadata.org, organization)):
        request = METHODS[method].request(slug=made.metadata.slug, org=org, scope=scope)
        session.call(f"find.{name}", method, request, role=_ROLE)


def _walk(session: Session, kind: str, parent: Proto) -> None:
    """Read the pages of the organization's list and, of instances, those of the agent."""
    token = ""
    for number in range(_PAGES_MAX if session.offers("list") else 0):
        method = KINDS[kind].list_method
        request = METHODS[method].request(org=session.own_org)
        request.page.size, request.page.page_token = _SIZE, token
        answer = session.call(f"list.{number}", method, request, role=_ROLE)
        token = answer.message.next_page_token if answer.ok else ""
        if not token:
            break
    for number in range(_PAGES_MAX if kind == "instance" else 0):
        request = METHODS[_BY_AGENT].request(agent_id=parent.metadata.id)
        request.page_info.num, request.page_info.size = number + 1, _SIZE
        answer = session.call(f"of_agent.{number}", _BY_AGENT, request, role=_ROLE)
        if not answer.ok or not answer.message.items:
            break


def _judge(evidence: Evidence) -> list[Problem]:
    made = evidence["made"]
    resource_id = made.value("metadata.id")
    found = [wrong for row in _asked(evidence) for wrong in answered(row, "OK")]
    if found:
        return found
    for row in evidence.under("create."):
        found += equal(f"{row.label}: slug", row, row.request["metadata"]["slug"], row.value("metadata.slug"))
    for row in (*evidence.under("change."), *evidence.under("find."), evidence["after"]):
        found += equal(f"{row.label}: id", row, resource_id, row.value("metadata.id"))
    for row in evidence.under("change."):
        found += equal(f"{row.label}: description", row, row.request["spec"]["description"], _description(row))
    last = evidence["change.slug.apply"]
    found += differences(last.response, evidence["after"].response, evidence["after"])
    for row in evidence.under("again"):
        found += equal(f"{row.label}: events", row, 5, len(events_about(row, resource_id)))
    return found + _judge_pages(evidence)


def _asked(evidence: Evidence) -> Iterator[Exchange]:
    for prefix in ("create.", "change.", "after", "find.", "list.", "of_agent."):
        yield from evidence.under(prefix)


def _description(row: Exchange) -> str:
    return str(row.value("spec.description", ""))


def _judge_pages(evidence: Evidence) -> list[Problem]:
    """Each that was made stands once in each list."""
    wanted = [row.value("metadata.id") for row in (evidence["made"], *evidence.under("create."))]
    found: list[Problem] = []
    for prefix in ("list.", "of_agent."):
        pages = evidence.under(prefix)
        shown = [item["metadata"]["id"] for page in pages for item in page.value("items", [])]
        text = f"{prefix[:-1]}: how often one of the caller's own stands there"
        for times in map(shown.count, wanted if pages else ()):
            found += equal(text, pages[0], 1, times)
    return found


CHECKS: tuple[Check, ...] = tuple(
    check(f"WAYS-{kind.upper()}", _exercise(kind), _judge, roles=("caller", "operator", _ROLE)) for kind in KINDS
)
