"""What goes before a restart goes the same way after it, on what was made before it.

Of everything there are two: `fresh` ones, which are used before the kill, and `aged` ones, which are made with them and
used after it. What is asked is that both go alike, so that no choice of a server counts here.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance import samples
from conformance.evidence import Evidence, Exchange, Json, value_at
from conformance.judging import PartJudge, answered, equal, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import new_resource
from conformance.session import Session
from conformance.verdict import Problem
from conformance.watching import change_of, events_about

FRESH, AGED = "fresh", "aged"
RESUMED = "resumed"
"""The watch that is resumed after the restart, from before all this was made."""
_POLICY = "policy"
_THINGS = ("found", "applied", "changed", "freed", "gone")
"""What is made of each kind, named by what is done to it afterwards."""
_KEPT = (
    "metadata.id",
    "metadata.slug",
    "metadata.org",
    "status.default_instance_id",
    "status.audit.spec_audit.created_at",
    "status.audit.spec_audit.created_by.id",
)
_GRANTS = ("held", "revoked")

Things = dict[str, Proto]


def _operator(session: Session) -> str | None:
    return "operator" if session.cloud else None


def _of_slug(session: Session, kind: str, slug: str, things: Things) -> Proto:
    """Return a valid request about a slug that isn't its name's; an instance is one of the parent's."""
    parent = things["parent"].metadata.id if "parent" in things else ""
    request = new_resource(session, kind, parent)
    request.metadata.slug = slug
    return request


def _account(name: str) -> tuple[str, str]:
    return "identity_account", f"{name}-account"


def _organization(name: str) -> tuple[str, str]:
    return "organization", f"{name}-org"


def make(session: Session, when: str) -> dict[str, Things]:
    """Make what is used later; return it by kind. What is missing was refused."""
    made = {kind: _made(session, f"{when}.{kind}", kind) for kind in KINDS}
    for label in _GRANTS if session.cloud else ():
        name = session.name()
        session.note(f"{when}.{label}", name)
        session.grant(f"{when}.{_POLICY}.{label}.made", _account(name), "member", _organization(name))
        if label == "revoked":
            _revoke(session, f"{when}.{_POLICY}.revoked.before", name)
    return made


def _made(session: Session, label: str, kind: str) -> Things:
    things: Things = {}
    if kind == "instance":
        parent = session.call(f"{label}.parent.made", "agent.create", session.agent())
        if not parent.ok:
            return things
        things["parent"] = parent.message
    for thing in _THINGS:
        request = _of_slug(session, kind, session.name(), things)
        answer = session.call(f"{label}.{thing}.made", f"{kind}.create", request)
        if not answer.ok:
            return things
        things[thing] = answer.message
    session.delete(f"{label}.freed.delete", kind, things["freed"].metadata.id)
    if session.cloud:
        found = things["found"].metadata
        session.grant(f"{label}.found.grant", _account(found.name), "owner", (KINDS[kind].name, found.id))
    if kind == "agent":
        _give_an_instance(session, label, things)
    return things


def _give_an_instance(session: Session, label: str, things: Things) -> None:
    """The agent that is deleted later has a second instance, on which somebody was granted something."""
    request = samples.instance(session.name(), session.org, things["gone"].metadata.id)
    answer = session.call(f"{label}.second.made", "instance.create", request)
    if answer.ok:
        things["second"] = answer.message
        if session.cloud:
            resource = ("agent_instance", answer.message.metadata.id)
            session.grant(f"{label}.second.grant", _account(request.metadata.name), "owner", resource)


def use(session: Session, when: str, made: Mapping[str, Things]) -> None:
    """Do to what was made all that can be done to it."""
    for kind, things in made.items():
        if things.keys() >= {*_THINGS}:
            for part in (_look_up, _change, _take_freed, _remove):
                part(session, f"{when}.{kind}", kind, things)
    if session.cloud:
        _use_grants(session, when)


def _look_up(session: Session, label: str, kind: str, things: Things) -> None:
    metadata = things["found"].metadata
    session.find(f"{label}.found.find", kind, metadata.slug)
    taken = _of_slug(session, kind, metadata.slug, things)
    session.call(f"{label}.found.slug_taken", f"{kind}.create", taken)
    taken = _of_slug(session, kind, session.name(), things)
    taken.metadata.id = metadata.id
    session.call(f"{label}.found.id_taken", f"{kind}.create", taken)
    if session.cloud:
        _authorized_ids(session, f"{label}.found", _account(metadata.name), "owner", (KINDS[kind].name, metadata.id))
    if kind == "instance":
        _count(session, f"{label}.parent.counted", things["parent"].metadata.id)


def _count(session: Session, label: str, agent_id: str) -> None:
    request = METHODS["instance.by_agent"].request(agent_id=agent_id)
    request.page_info.num, request.page_info.size = 2, 2
    session.call(label, "instance.by_agent", request, role=_operator(session))


def _change(session: Session, label: str, kind: str, things: Things) -> None:
    """By another than the creator, so that it shows who is taken for that one."""
    for thing, operation in (("found", "update"), ("applied", "apply"), ("changed", "update")):
        metadata = things[thing].metadata
        request = _of_slug(session, kind, metadata.slug, things)
        request.spec.description = "Changed after it was made."
        if thing == "changed":
            request.metadata.id = metadata.id
        session.call(f"{label}.{thing}.{operation}", f"{kind}.{operation}", request, role=_operator(session))


def _take_freed(session: Session, label: str, kind: str, things: Things) -> None:
    metadata = things["freed"].metadata
    request = _of_slug(session, kind, metadata.slug, things)
    session.call(f"{label}.freed.slug", f"{kind}.create", request)
    session.find(f"{label}.freed.find", kind, metadata.slug)
    request = _of_slug(session, kind, session.name(), things)
    request.metadata.id = metadata.id
    session.call(f"{label}.freed.id", f"{kind}.create", request)


def _remove(session: Session, label: str, kind: str, things: Things) -> None:
    gone, role = things["gone"].metadata, _operator(session)
    session.delete(f"{label}.gone.delete", kind, gone.id)
    session.read(f"{label}.gone.get", kind, gone.id, role=role)
    session.find(f"{label}.gone.find", kind, gone.slug, role=role)
    if session.cloud:
        owner = ("identity_account", session.context.identity(session.context.caller))
        session.holds(f"{label}.gone.owner", owner, "owner", (KINDS[kind].name, gone.id))
    if kind == "agent":
        _look_for_instances(session, f"{label}.gone", things)
    session.call(f"{label}.gone.again", f"{kind}.create", _of_slug(session, kind, gone.slug, things))


def _look_for_instances(session: Session, label: str, things: Things) -> None:
    agent, role = things["gone"], _operator(session)
    instances = {"default": agent.status.default_instance_id}
    if "second" in things:
        instances["second"] = things["second"].metadata.id
    _count(session, f"{label}.instances", agent.metadata.id)
    for name, one in instances.items():
        if one:
            session.read(f"{label}.{name}", "instance", one, role=role)
        if one and session.cloud:
            resource = ("agent_instance", one)
            session.holds(f"{label}.{name}.agent", ("agent", agent.metadata.id), "agent", resource)
            if name == "second":
                session.holds(f"{label}.granted", _account(things[name].metadata.name), "owner", resource)


def _use_grants(session: Session, when: str) -> None:
    """Ask what is held, revoke it, and grant what was revoked."""
    evidence = session.evidence()
    held, revoked = (evidence.fact(f"{when}.{label}") for label in _GRANTS)
    label = f"{when}.{_POLICY}"
    for name, one in (("held", held), ("revoked", revoked)):
        _authorized_ids(session, f"{label}.{name}", _account(one), "member", _organization(one))
    again = samples.policy(_account(held), "member", _organization(held))
    session.call(f"{label}.held.again", "policy.create", again, role="operator")
    _revoke(session, f"{label}.held", held)
    session.grant(f"{label}.revoked.again", _account(revoked), "member", _organization(revoked))
    session.holds(f"{label}.revoked.holds", _account(revoked), "member", _organization(revoked))


def _revoke(session: Session, label: str, name: str) -> None:
    request = samples.policy(_account(name), "member", _organization(name))
    session.call(f"{label}.revoke", "policy.delete", request, role="operator")
    session.holds(f"{label}.left", _account(name), "member", _organization(name))


def _authorized_ids(
    session: Session, label: str, account: tuple[str, str], relation: str, resource: tuple[str, str]
) -> None:
    method = METHODS["policy.listAuthorizedResourceIds"]
    resources = method.request(resource_kind=resource[0], relation=relation)
    resources.principal.kind, resources.principal.id = account
    session.call(f"{label}.resources", method.name, resources, role="operator")
    method = METHODS["policy.listAuthorizedPrincipalIds"]
    principals = method.request(principal_kind=account[0], relation=relation)
    principals.resource.kind, principals.resource.id = resource
    session.call(f"{label}.principals", method.name, principals, role="operator")


def _traits(row: Exchange, made: Exchange | None) -> dict[str, Json]:
    """Return what must be alike in the answers about a fresh and an aged thing: no name, id or time is."""
    told = {
        "status": row.code,
        "is_authorized": row.value("is_authorized", default=False),
        "total_count": row.value("total_count", 0),
        **{f"number of {name}": len(row.value(name, [])) for name in ("items", "resource_ids", "principal_ids")},
        "the description as sent": row.value("spec.description") == value_at(row.request, "spec.description"),
    }
    if made is None or not row.ok:
        return told
    kept = {f"{path} as made": row.value(path) == made.value(path) for path in _KEPT}
    return {**told, **kept, "all as made": row.response == made.response}


def _alike(kind: str) -> PartJudge:
    """Judge: what was done to the aged ones went as what was done to the fresh ones."""

    def judge(evidence: Evidence) -> list[Problem]:
        refused = [one for row in evidence.under("") if _is_make(row) for one in answered(row, "OK")]
        if refused:
            return refused
        found: list[Problem] = []
        for row in evidence.under(f"{FRESH}.{kind}."):
            aged = evidence[f"{AGED}{row.label.removeprefix(FRESH)}"]
            before, after = (_traits(one, _made_as(evidence, one)) for one in (row, aged))
            # Of an answer with another status nothing else is worth telling.
            asked = before if before["status"] == after["status"] else ("status",)
            found += [
                problem(f"{aged.label}: another {name}", aged, expected=before[name], actual=after[name])
                for name in asked
                if before[name] != after[name]
            ]
        return found + _events_alike(evidence, kind)

    return PartJudge((f"{FRESH}.{kind}.", f"{AGED}.{kind}.", RESUMED), judge)


def _events_alike(evidence: Evidence, kind: str) -> list[Problem]:
    """Of an aged thing as much is announced as of a fresh one, before the restart and after it."""
    if kind == _POLICY or RESUMED not in evidence or not evidence[RESUMED].ok:
        return []
    watch, found = evidence[RESUMED], list[Problem]()
    for row in evidence.under(f"{FRESH}.{kind}."):
        if _is_make(row):
            pair = row, evidence[f"{AGED}{row.label.removeprefix(FRESH)}"]
            fresh, aged = ([change_of(one) for one in events_about(watch, made.value("metadata.id"))] for made in pair)
            found += equal(f"{pair[1].label.removesuffix('.made')}: other events", watch, fresh, aged)
    return found


def _is_make(row: Exchange) -> bool:
    return row.label.endswith(".made")


def _made_as(evidence: Evidence, row: Exchange) -> Exchange | None:
    """Return the create of the thing that an exchange is about."""
    when, kind, thing, _ = row.label.split(".", 3)
    label = f"{when}.{kind}.{thing}.made"
    return next(iter(evidence.under(label)), None)


JUDGES = {
    **{f"DUR-AFTER-{kind.upper()}": _alike(kind) for kind in KINDS},
    "DUR-AFTER-POLICIES": _alike(_POLICY),
}
