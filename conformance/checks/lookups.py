"""Ids and slugs are compared as they are: what differs in case, blanks, form or length names something else."""

from __future__ import annotations

from collections.abc import Callable

from conformance.check import Check, check
from conformance.judging import Judge, accepted, both, code, fact, field_is
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import new_resource
from conformance.samples import reference
from conformance.session import Session
from conformance.target_client import Call

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


def _made(session: Session, kind: str) -> Proto:
    agent = session.created_agent("parent") if kind == "instance" else None
    request = new_resource(session, kind, agent.metadata.id if agent is not None else "")
    request.metadata.id = session.new_id(kind)
    return session.need("create", f"{kind}.create", request)


def _by_id(kind: str) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        made = _made(session, kind)
        role = "operator" if session.cloud else None
        get, delete = METHODS[f"{kind}.get"], METHODS[f"{kind}.delete"]
        calls = []
        for name, spell in _SPELLINGS.items():
            other = spell(made.metadata.id)
            changed = new_resource(session, kind, made.spec.agent_id if kind == "instance" else "")
            changed.metadata.id = other
            calls += [
                Call(f"get.{name}", get.name, get.request(value=other), role),
                Call(f"update.{name}", f"{kind}.update", changed, role),
                Call(f"delete.{name}", delete.name, delete.request(**{KINDS[kind].delete_field: other}), role),
            ]
        session.together(calls)
        session.read("twin", kind, made.metadata.id, role=role)
        session.note("made", made.metadata.id)

    return exercise


def _by_slug(kind: str) -> Callable[[Session], None]:
    def exercise(session: Session) -> None:
        made = _made(session, kind)
        slug, method = made.metadata.slug, f"{kind}.by_reference"
        role = "operator" if session.cloud else None
        session.together(
            Call(f"find.{name}", method, reference(spell(slug), session.org), role)
            for name, spell in _SPELLINGS.items()
        )
        session.find("twin", kind, slug, role=role)
        session.note("made", made.metadata.id)
        # A slug that only looks the same is another one, and both can be had.
        other = new_resource(session, kind, made.spec.agent_id if kind == "instance" else "")
        other.metadata.slug, other.metadata.id = slug.upper(), session.new_id(kind)
        session.call("other", f"{kind}.create", other)
        session.find("other.find", kind, slug.upper(), role=role)
        session.note("other", other.metadata.id)

    return exercise


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
    return both(*(code(f"{one}.{name}", "NOT_FOUND") for one in operations for name in _SPELLINGS))


def _checks(kind: str) -> tuple[Check, Check]:
    name = kind.upper()
    return (
        check(
            f"EXACT-ID-{name}",
            _by_id(kind),
            both(_nothing("get", "update", "delete"), field_is("twin", "metadata.id", fact("made"))),
            roles=("caller", "operator"),
        ),
        check(
            f"EXACT-SLUG-{name}",
            _by_slug(kind),
            both(
                _nothing("find"),
                field_is("twin", "metadata.id", fact("made")),
                accepted("other"),
                field_is("other.find", "metadata.id", fact("other")),
            ),
            roles=("caller", "operator"),
        ),
    )


CHECKS: tuple[Check, ...] = (
    *(row for kind in KINDS for row in _checks(kind)),
    check(
        "EXACT-ID-POLICY",
        _policy_by_id,
        both(accepted("create"), _nothing("get"), accepted("twin")),
        roles=("operator",),
    ),
)
