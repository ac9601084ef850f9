"""Mutants that believe what a request says of who may: its agent, its scope, its maker. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable

from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, platform
from reference_server.authorization.model import Ref
from reference_server.authorization.policies import StoredPolicies, grant
from reference_server.errors import PermissionDenied
from reference_server.pipeline import State
from reference_server.steps.authorize import authorize_on, by_option, by_owner_scope, known_caller
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.mutant import AUTHORIZE, CREATE, ENVIRONMENT, POLICIES, Mutant
from tests.mutants.wrapping import Run, everywhere, instead, then, together, wrap

_PLATFORMS_OWN = ("create-platform-link", "bootstrap", "cleanup")


def _allows(state: State, work: UnitOfWork, permission: str, resource: Ref) -> bool:
    return state.context.authorizer.allows(known_caller(state).ref, permission, resource, StoredPolicies(work))


def _or_if(believed: Callable[[State, UnitOfWork], bool]) -> Callable[[Run], Run]:
    """Let through whom the request itself lets through, too."""

    def wrapper(run: Run) -> Run:
        def authorize(state: State, work: UnitOfWork) -> State:
            try:
                return run(state, work)
            except PermissionDenied:
                if believed(state, work):
                    return state
                raise

        return authorize

    return wrapper


def _edits_named_agent(state: State, work: UnitOfWork) -> bool:
    return _allows(state, work, "can_edit", Ref("agent", state.request.spec.agent_id))


def _names_own_scope(state: State, work: UnitOfWork) -> bool:
    del work
    return bool(state.request.metadata.owner_scope == identity_account)


def _names_himself(state: State, work: UnitOfWork) -> bool:
    del work
    return bool(state.request.status.audit.spec_audit.created_by.id == known_caller(state).id)


def _operates_resource(state: State, work: UnitOfWork) -> bool:
    asked = state.request if state.operation.name.endswith("cleanup") else state.request.resource
    return _allows(state, work, "operator", Ref(asked.kind, asked.id))


def _by_organization_first(state: State, work: UnitOfWork) -> tuple[str, Ref | None] | None:
    """Ask for the operator only where no organization is named."""
    metadata = state.request.metadata
    named = metadata.owner_scope == platform and metadata.org
    return by_option(state, work) if named else by_owner_scope(state, work)


def _linked_to_named_organization(state: State, work: UnitOfWork) -> None:
    metadata = state.resource.metadata
    if metadata.owner_scope == identity_account and metadata.org:
        environment, org = Ref("environment", metadata.id), Ref("organization", metadata.org)
        grant(work, state.context.clock, known_caller(state), environment, [(org, "organization")])


BELIEVING_SINS: tuple[Mutant, ...] = (
    Mutant(
        "update-judged-by-named-agent",
        "who may edit the agent that the request names may update somebody else's instance",
        wrap("agent-instance-update", AUTHORIZE, _or_if(_edits_named_agent)),
        asked=("PERM-*", "INS-*"),
    ),
    Mutant(
        "update-judged-by-named-scope",
        "an update that says it is of the caller's own asks for no permission",
        everywhere("update", lambda operation: wrap(operation, AUTHORIZE, _or_if(_names_own_scope))),
        asked=("PERM-*",),
    ),
    Mutant(
        "update-judged-by-named-maker",
        "who names himself as the maker may update",
        everywhere("update", lambda operation: wrap(operation, AUTHORIZE, _or_if(_names_himself))),
        asked=("PERM-*",),
    ),
    Mutant(
        "platform-beside-organization",
        "an agent of platform scope that names an organization is made by whoever may create agents in it",
        instead(CREATE, AUTHORIZE, authorize_on(_by_organization_first)),
        asked=("AUTH-*", "ATOM-AUTH-*"),
    ),
    Mutant(
        "operator-of-anything",
        "who is operator of what the request is about may do what is the platform operator's",
        together(*(wrap(f"iam-policy-{verb}", AUTHORIZE, _or_if(_operates_resource)) for verb in _PLATFORMS_OWN)),
        asked=("PERM-POLICY-*", "IAM-*"),
    ),
    Mutant(
        "own-scope-beside-organization",
        "an account's own environment is shown to the members of the organization that it names",
        then(ENVIRONMENT, POLICIES, _linked_to_named_organization),
        asked=("OWN-*",),
    ),
)
