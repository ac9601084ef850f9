"""Mutants that overlook a grant, or go on with one that is gone. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.authorization.model import SYSTEM, Ref, RelationTuple
from reference_server.authorization.policies import StoredPolicies, tuple_of
from reference_server.pipeline import State
from reference_server.steps.authorize import known_caller
from reference_server.unit_of_work import UnitOfWork, staged_message
from stores.contract import Record
from tests.mutants import effects as do
from tests.mutants.mutant import AUTHORIZE, PERSIST, VALIDATE, Mutant
from tests.mutants.wrapping import Change, Run, everywhere, first, then, together, wrap

_BOOTSTRAPS = ("iam-policy-bootstrap", "iam-policy-create-platform-link")
_DELETE = "DeleteResource"


def _own_may_go(run: Run) -> Run:
    """Whoever a policy is about may revoke it."""

    def authorize(state: State, work: UnitOfWork) -> State:
        principal = state.request.principal
        return state if (principal.kind, principal.id) == known_caller(state).ref[:2] else run(state, work)

    return authorize


def _written_as_set(state: State, work: UnitOfWork) -> None:
    """Take a principal's id apart as if the set's relation were in it."""
    del work
    principal = state.request.principal
    if not principal.relation:
        principal.id, _, principal.relation = principal.id.partition("#")


def _read_when_gone(operation: str) -> Change:
    """Get a policy that an operation has taken away as if it were there."""
    gone: dict[str, Record] = {}

    def taking(run: Run) -> Run:
        def take(state: State, work: UnitOfWork) -> State:
            before = {record.id: record for record in work.scan("iam_policy")}
            state = run(state, work)
            left = {record.id for record in work.scan("iam_policy")}
            gone.update({name: record for name, record in before.items() if name not in left})
            return state

        return take

    def loading(run: Run) -> Run:
        def load(state: State, work: UnitOfWork) -> State:
            record = gone.get(state.request.value)
            return run(state, work) if record is None else state._replace(existing=record)

        return load

    return together(wrap(operation, _DELETE, taking), wrap("iam-policy-get", "LoadTarget", loading))


def _bootstrapped_once(run: Run) -> Run:
    """Answer a policy that was bootstrapped once as it was then, whatever has become of it."""
    done: dict[object, bytes] = {}

    def ensure(state: State, work: UnitOfWork) -> State:
        asked = tuple_of(state.request)
        if asked in done:
            return state.with_response(done[asked])
        state = run(state, work)
        if state.resource is not None:
            done[asked] = state.resource.SerializeToString()
        return state

    return ensure


def _by_the_system(run: Run) -> Run:
    return lambda state, work: run(state._replace(caller=SYSTEM), work)


def _without(relation: str) -> Callable[[State, UnitOfWork], None]:
    """Take the staged policies of a relation back."""

    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key in [key for key in work._puts if key[0] == "iam_policy"]:
            if staged_message(work._puts[key]).spec.relation == relation:
                del work._puts[key]

    return effect


def _what_is_ones_own(run: Run) -> Run:
    """List what the caller owns, and what is in his organizations; not what he was granted besides."""

    def listing(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        caller, policies, authorizer = known_caller(state).ref, StoredPolicies(work), state.context.authorizer
        shown: Any = done.response
        rows = list(shown.items)
        del shown.items[:]
        for row in rows:
            resource = Ref(state.operation.kind.name, row.metadata.id)
            orgs = policies.linked("organization", resource)
            if (
                authorizer.is_operator(caller, policies)
                or policies.holds(RelationTuple(caller, "owner", resource))
                or any(authorizer.allows(caller, "member", org, policies) for org in orgs)
                or any(authorizer.allows(caller, "admin", org, policies) for org in orgs)
            ):
                shown.items.append(row)
        return done

    return listing


GRANT_SINS: tuple[Mutant, ...] = (
    Mutant(
        "grants-outlive-environment",
        "what was granted on an environment or an instance stays when it is deleted",
        together(
            *(then(f"{kind}-delete", _DELETE, do.keep("iam_policy")) for kind in ("environment", "agent-instance"))
        ),
        asked=("DEL-*",),
    ),
    Mutant(
        "revoke-by-principal",
        "whoever a policy is about may revoke it",
        wrap("iam-policy-delete", AUTHORIZE, _own_may_go),
        asked=("IAM-*",),
    ),
    Mutant(
        "principal-id-as-set",
        "a principal's id with a # in it is taken for a set",
        first("iam-policy-create", VALIDATE, _written_as_set),
        asked=("IAM-*",),
    ),
    *(
        Mutant(
            f"policy-read-after-{name}",
            f"a policy that a {name} took away is still read by its id",
            _read_when_gone(f"iam-policy-{name}"),
            asked=("IAM-*",),
        )
        for name in ("delete", "cleanup")
    ),
    Mutant(
        "bootstrap-remembers",
        "what was bootstrapped once is answered as it was then, and not stored again",
        together(*(wrap(operation, PERSIST, _bootstrapped_once) for operation in _BOOTSTRAPS)),
        asked=("IAM-*",),
    ),
    Mutant(
        "bootstrap-unsigned",
        "a bootstrapped policy is noted as made by the system",
        together(*(wrap(operation, PERSIST, _by_the_system) for operation in _BOOTSTRAPS)),
        asked=("AUD-POLICY",),
    ),
    *(
        Mutant(
            f"{kind}-applied-without-{relation}",
            f"what an apply makes of the kind {kind} lacks the policy of the relation {relation}",
            then(f"{kind}-apply", "ContinueAsCreateOrUpdate", _without(relation)),
            asked=("APL-*",),
        )
        for kind, relation in (("environment", "owner"), ("agent-instance", "agent"), ("agent", "platform"))
    ),
    Mutant(
        "list-without-grants",
        "a list leaves out what was granted on one resource alone",
        everywhere("list", lambda operation: wrap(operation, "ListResources", _what_is_ones_own)),
        asked=("LST-*",),
    ),
)
