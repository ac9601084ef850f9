"""Ids and slugs are compared as they are: what differs in case, blanks, form or length names something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance.check import Check, check
from conformance.evidence import Evidence
from conformance.judging import Judge, PartJudge, accepted, answer_of, answered, both, equal, fact, field_is, sent
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto, deletion
from conformance.requests import new_resource
from conformance.samples import reference
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

_WIDE = 0xFEE0
"""From an ASCII character to its wide form, which is the same in compatibility form (NFKC)."""
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "blank_before": lambda text: f" {text}",
    "blank_behind": lambda text: f"{text} ",
    "line_end": lambda text: f"{text}\n",
    "shorter": lambda text: text[:-1],
    "longer": lambda text: f"{text}0",
    "wide": lambda text: "".join(chr(ord(letter) + _WIDE) if letter.isalnum() else letter for letter in text),
}
"""Other spellings that a loose comparison takes for the same."""


LONG_ID, LONG_SLUG = 200, 400
"""Characters; an id is part of policies, which take 256."""
_QUICK = ("upper", "shorter", "wide")
"""A quick run asks with these only for updates and deletes, which find things as gets do."""


def _asked(session: Session) -> tuple[str, ...]:
    return _QUICK if session.context.scale < 1 else tuple(_SPELLINGS)


def _made(session: Session, kind: str) -> Proto:
    agent = session.created_agent("parent") if kind == "instance" else None
    request = new_resource(session, kind, agent.metadata.id if agent is not None else "")
    request.metadata.id = session.new_id(kind)
    return session.need("create", f"{kind}.create", request)


def _exercise(kind: str) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        made, role = _made(session, kind), "operator" if session.cloud else None
        agent_id, slug = made.spec.agent_id if kind == "instance" else "", made.metadata.slug
        session.together(_loose(session, kind, made, agent_id, role))
        session.read("twin.get", kind, made.metadata.id, role=role)
        session.find("twin.find", kind, slug, role=role)
        session.note("made", made.metadata.id)
        # A slug that only looks the same is another one, and both can be had.
        other = new_resource(session, kind, agent_id)
        other.metadata.slug, other.metadata.id = slug.upper(), session.new_id(kind)
        session.call("other", f"{kind}.create", other)
        session.find("other.find", kind, slug.upper(), role=role)
        session.note("other", other.metadata.id)
        _two_names(session, kind, made, other, agent_id)
        _long(session, kind, agent_id)
        _kept(session, kind, agent_id)

    return exercise


def _two_names(session: Session, kind: str, made: Proto, other: Proto, agent_id: str) -> None:
    """Change one resource by its id, beside the slug of another."""
    for way in ("update", "apply"):
        request = new_resource(session, kind, agent_id)
        request.metadata.id, request.metadata.slug = made.metadata.id, other.metadata.slug
        session.call(f"both.{way}", f"{kind}.{way}", request)
    session.read("spared.get", kind, other.metadata.id)


def _long(session: Session, kind: str, agent_id: str) -> None:
    """Make what has a long id, and two whose long slugs differ in their ends."""
    request = new_resource(session, kind, agent_id)
    request.metadata.id = f"{session.new_id(kind)}-".ljust(LONG_ID, "x")
    session.call("long", f"{kind}.create", request)
    session.read("long.get", kind, request.metadata.id, role="operator" if session.cloud else None)
    name = session.name().ljust(LONG_SLUG, "x")
    for end in ("a", "b"):
        request = new_resource(session, kind, agent_id)
        request.metadata.name = f"{name}{end}"
        session.call(f"alike.{end}", f"{kind}.create", request)
    session.find("alike.find", kind, f"{name}b")


def _kept(session: Session, kind: str, agent_id: str) -> None:
    """Apply a slug that no name makes twice, and update by it."""
    request = new_resource(session, kind, agent_id)
    request.metadata.slug = f"Kept_As.It-Is--{session.name()}-"
    for label, operation in (("kept", "apply"), ("kept.again", "apply"), ("kept.update", "update")):
        session.call(label, f"{kind}.{operation}", request)


def _loose(session: Session, kind: str, made: Proto, agent_id: str, role: str | None) -> Iterator[Call]:
    """Ask for what was made by ids and slugs that only look like its own."""
    get, find = (METHODS[f"{kind}.{operation}"] for operation in ("get", "by_reference"))
    for name, spell in _SPELLINGS.items():
        other = spell(made.metadata.id)
        yield Call(f"get.{name}", get.name, get.request(value=other), role)
        yield Call(f"find.{name}", find.name, reference(spell(made.metadata.slug), session.org), role)
        if name in _asked(session):
            changed = new_resource(session, kind, agent_id)
            changed.metadata.id = other
            yield Call(f"update.{name}", f"{kind}.update", changed, role)
            yield Call(f"delete.{name}", f"{kind}.delete", deletion(kind, other), role)


def _policy_by_id(session: Session) -> None:
    account, resource = ("identity_account", session.name()), ("organization", session.name())
    made = session.grant("create", account, "member", resource)
    if made.ok:
        one, get = made.message.metadata.id, METHODS["policy.get"].request
        session.together(
            Call(f"get.{name}", "policy.get", get(value=spell(one)), "operator") for name, spell in _SPELLINGS.items()
        )
        session.call("twin", "policy.get", get(value=one), role="operator")


def _nothing(*operations: str) -> Judge:
    """Judge: no other spelling found anything."""

    def judge(evidence: Evidence) -> list[Problem]:
        rows = [row for one in operations for row in evidence.under(f"{one}.")]
        return [wrong for row in rows for wrong in answered(row, "NOT_FOUND")]

    return judge


def _others_spared(evidence: Evidence) -> list[Problem]:
    """A server may refuse an id beside the slug of another; it must not change that other one."""
    found = field_is("spared.get", "spec.description", sent("other", "spec.description"))(evidence)
    found += field_is("spared.get", "metadata.name", sent("other", "metadata.name"))(evidence)
    for row in evidence.under("both."):
        found += answered(row, "OK", "ALREADY_EXISTS", "FAILED_PRECONDITION", "INVALID_ARGUMENT")
        if row.ok:
            found += equal("which one is changed", row, evidence.fact("made"), row.value("metadata.id"))
    return found


def _check(kind: str) -> Check:
    name = kind.upper()
    return check(
        f"EXACT-ID-{name}",
        _exercise(kind),
        PartJudge(
            ("parent", "create", "get.", "update.", "delete.", "twin.get", "other", "both.", "spared.", "long"),
            both(
                _nothing("get", "update", "delete"),
                field_is("twin.get", "metadata.id", fact("made")),
                _others_spared,
                field_is("long.get", "metadata.id", sent("long", "metadata.id")),
            ),
        ),
        also={
            f"EXACT-SLUG-{name}": PartJudge(
                ("parent", "create", "find.", "twin.find", "other", "alike.", "kept"),
                both(
                    _nothing("find"),
                    field_is("twin.find", "metadata.id", fact("made")),
                    accepted("other"),
                    field_is("other.find", "metadata.id", fact("other")),
                    accepted("alike.a", "alike.b"),
                    field_is("alike.find", "metadata.id", answer_of("alike.b", "metadata.id")),
                    field_is("kept", "metadata.slug", sent("kept", "metadata.slug")),
                    *(
                        field_is(label, "metadata.id", answer_of("kept", "metadata.id"))
                        for label in ("kept.again", "kept.update")
                    ),
                ),
            )
        },
        roles=("caller", "operator"),
    )


CHECKS: tuple[Check, ...] = (
    *(_check(kind) for kind in KINDS),
    check(
        "EXACT-ID-POLICY",
        _policy_by_id,
        both(accepted("create"), _nothing("get"), accepted("twin")),
        roles=("operator",),
    ),
)
