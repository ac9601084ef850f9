"""Every method evaluates its field constraints, if it has any, and does so before it asks who calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.access import ACCESS, RULED, method_id
from conformance.check import Check, check
from conformance.evidence import Evidence, NotAsked
from conformance.judging import Judge, PartJudge, answered, problem
from conformance.kinds import KINDS
from conformance.methods import METHODS, Proto
from conformance.requests import Things, new_resource, request_of
from conformance.session import Session
from conformance.target_client import Call
from conformance.verdict import Problem

SIZE_MAX, SCOPE_UNKNOWN = 1000, 99
_OPTIONAL = frozenset(row.method for row in ACCESS if row.optional)


def _ask_all(session: Session) -> None:
    methods = [name for name in RULED if session.cloud or not name.startswith("policy.")]
    if not session.offers("list"):
        methods = [name for name in methods if not name.startswith("list.")]
    role = "operator" if session.cloud and "operator" in session.context.roles else None
    session.together(Call(f"{name}.broken", name, _broken(session, name), role) for name in methods)
    if session.cloud:
        session.together(_early(session, methods))
    references = [name for name in methods if name.endswith("by_reference")]
    session.together(Call(f"{name}.line_end", name, _line_end(session, name), role) for name in references)
    # About things that aren't there: whatever else a server says of them, the requests break no rule.
    session.together(Call(f"{name}.twin", name, _whole(session, name), role) for name in methods)


def _early(session: Session, methods: Sequence[str]) -> Iterator[Call]:
    """Ask for what breaks a rule without credentials, and as somebody who may do nothing; in a quick run in turns."""
    askers = ("anonymous", *({"nobody"} & session.context.roles.keys()))
    for number, name in enumerate(methods):
        for role in askers if session.context.scale >= 1 else (askers[number % len(askers)],):
            yield Call(f"{name}.early.{role}", name, _broken(session, name), role)


def _whole(session: Session, method: str) -> Proto:
    """Return a request that breaks no rule."""
    kind, _, operation = method.partition(".")
    kind = operation.removesuffix("s") if kind == "list" else kind if kind in KINDS else "agent"
    agent = session.agent(resource_id=session.new_id())
    resource = new_resource(session, kind, agent.metadata.id)
    resource.metadata.id, resource.metadata.slug = session.new_id(kind), session.name()
    return request_of(session, method, Things(agent, resource, kind))


def _broken(session: Session, method: str) -> Proto:
    """Break one rule: no api_version of a resource, a reference of unknown scope, too long a page; others are blank."""
    kind, operation = METHODS[method].kind, METHODS[method].operation
    if kind == "list":
        oversized = METHODS[method].request()
        oversized.page.size = SIZE_MAX + 1
        return oversized
    if operation == "by_reference":
        return METHODS[method].request(slug=session.name(), scope=SCOPE_UNKNOWN)
    if kind not in KINDS or operation not in {"create", "update", "apply"}:
        return METHODS[method].request()
    request = new_resource(session, kind, "agt-of-nobody")
    request.ClearField("api_version")
    return request


def _line_end(session: Session, method: str) -> Proto:
    """A version whose last character is a line's end, which many a pattern overlooks."""
    return METHODS[method].request(slug=session.name(), version="latest\n")


def _refused(method: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        broken = f"{method}.broken"
        if broken not in evidence or (method in _OPTIONAL and evidence[broken].code == "UNIMPLEMENTED"):
            raise NotAsked(f"the target doesn't serve {METHODS[method].path}")
        twin = evidence[f"{method}.twin"]
        found = answered(evidence[broken], "INVALID_ARGUMENT")
        if f"{method}.line_end" in evidence:
            found += answered(evidence[f"{method}.line_end"], "INVALID_ARGUMENT")
        if twin.code == "INVALID_ARGUMENT":
            found.append(problem("a request that breaks no rule is refused in the same way", twin, actual=twin.message))
        return found

    return judge


def _before_the_caller(kind: str) -> Judge:
    def judge(evidence: Evidence) -> list[Problem]:
        rows = [(name, row) for name in _of_kind(kind) for row in evidence.under(f"{name}.early.")]
        if not rows:
            raise NotAsked("the target serves none of these methods")
        allowed = {name: ("UNIMPLEMENTED",) if name in _OPTIONAL else () for name, _ in rows}
        return [wrong for name, row in rows for wrong in answered(row, "INVALID_ARGUMENT", *allowed[name])]

    return PartJudge(tuple(f"{name}." for name in _of_kind(kind)), judge)


def _of_kind(kind: str) -> list[str]:
    return [name for name in RULED if METHODS[name].kind == kind]


_FIRST, *_OTHERS = RULED

CHECKS: tuple[Check, ...] = (
    check(
        f"RULES-{method_id(_FIRST)}",
        _ask_all,
        PartJudge((f"{_FIRST}.",), _refused(_FIRST)),
        also={
            **{f"RULES-{method_id(method)}": PartJudge((f"{method}.",), _refused(method)) for method in _OTHERS},
            **{
                f"ORD-RULES-{kind.upper()}": PartJudge(
                    tuple(f"{name}." for name in _of_kind(kind)), _before_the_caller(kind)
                )
                for kind in (*KINDS, "policy", "list")
            },
        },
    ),
)
