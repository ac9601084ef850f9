"""Mutants that mistake what belongs to whom: slugs, organizations, ownership, policies. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable

from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from reference_server.authorization.model import Ref
from reference_server.authorization.policies import StoredPolicies, grant, tuple_of
from reference_server.errors import PermissionDenied
from reference_server.identity import id_by_slug_key, requested_slug, slug_of
from reference_server.pipeline import State
from reference_server.pipelines import OPERATIONS
from reference_server.steps.authorize import known_caller
from reference_server.unit_of_work import UnitOfWork, stored_message
from stores.contract import Record
from tests.mutants.mutant import AUTHORIZE, CREATE, GET, Mutant
from tests.mutants.wrapping import KINDS, Change, Run, everywhere, then, together, wrap

LOAD, DELETE = "LoadExisting", "DeleteResource"
CONTINUE = "ContinueAsCreateOrUpdate"


def _scan(state: State, work: UnitOfWork, fits: Callable[[Record], bool]) -> Record | None:
    """The first resource of the operation's kind that fits."""
    return next((record for record in work.scan(state.operation.kind.name) if fits(record)), None)


def _by_name(run: Run) -> Run:
    """What has the name is what is meant, where nothing has the slug."""

    def load(state: State, work: UnitOfWork) -> State:
        state = run(state, work)
        wanted = state.request.metadata
        if state.existing is not None or wanted.id or wanted.slug != slug_of(wanted.name):
            return state
        kind = state.operation.kind.name

        def fits(record: Record) -> bool:
            held = stored_message(kind, record.id, record.data).metadata
            return bool((held.name, held.org) == (wanted.name, wanted.org))

        return state._replace(existing=_scan(state, work, fits))

    return load


def _in_any_organization(run: Run) -> Run:
    """Without an id, what has the slug anywhere is what is meant: the oldest."""

    def load(state: State, work: UnitOfWork) -> State:
        wanted, kind = state.request.metadata, state.operation.kind.name
        if wanted.id:
            return run(state, work)
        slug = requested_slug(wanted)
        found = _scan(state, work, lambda one: stored_message(kind, one.id, one.data).metadata.slug == slug)
        return run(state, work) if found is None else state._replace(existing=found)

    return load


def _remembering_references() -> Callable[[Run], Run]:
    """A reference finds what it found the first time."""

    def wrapper(run: Run) -> Run:
        known: dict[tuple[str, str], str] = {}

        def load(state: State, work: UnitOfWork) -> State:
            asked, kind = state.request, state.operation.kind.name
            if (asked.org, asked.slug) in known:
                record = work.record(kind, known[asked.org, asked.slug])
                return state._replace(candidates=() if record is None else (record,))
            state = run(state, work)
            if asked.org and len(state.candidates) == 1:
                known[asked.org, asked.slug] = state.candidates[0].id
            return state

        return load

    return wrapper


def _moves_for_members_of_both(run: Run) -> Run:
    def build(state: State, work: UnitOfWork) -> State:
        wanted = state.request.metadata.org
        state = run(state, work)
        metadata, caller, policies = state.resource.metadata, known_caller(state), StoredPolicies(work)
        authorizer = state.context.authorizer
        if (
            wanted not in {"", metadata.org}
            and metadata.owner_scope == organization
            and not authorizer.is_operator(caller.ref, policies)
            and authorizer.allows(caller.ref, "can_create_agent", Ref("organization", wanted), policies)
        ):
            metadata.org = wanted
        return state

    return build


def _judged_by_slug(run: Run) -> Run:
    """Who has both id and slug in his request is judged by what the slug names."""

    def authorize(state: State, work: UnitOfWork) -> State:
        wanted = state.request.metadata
        named = id_by_slug_key(state, work) if wanted.id and wanted.slug else None
        if named is None:
            return run(state, work)
        asked = type(state.request)()
        asked.CopyFrom(state.request)
        asked.metadata.id = named
        run(state._replace(request=asked), work)
        return state

    return authorize


def _operator_for_life(run: Run) -> Run:
    known: set[Ref] = set()

    def authorize(state: State, work: UnitOfWork) -> State:
        caller = known_caller(state)
        if state.context.authorizer.is_operator(caller.ref, StoredPolicies(work)):
            known.add(caller.ref)
        return state if caller.ref in known else run(state, work)

    return authorize


def _remembered_until_deleted() -> Change:
    """Decisions are remembered until a policy is deleted; that a cleanup removes some is overlooked."""
    known: set[tuple[Ref, str]] = set()

    def remembering(run: Run) -> Run:
        def authorize(state: State, work: UnitOfWork) -> State:
            asked = (known_caller(state).ref, state.request.value)
            if asked not in known:
                state = run(state, work)
                known.add(asked)
            return state

        return authorize

    def forget(_: State, __: UnitOfWork) -> None:
        known.clear()

    forgetting = [then(f"{kind}-delete", DELETE, forget) for kind in (*KINDS, "iam-policy")]
    return together(wrap(GET, AUTHORIZE, remembering), *forgetting)


def _revoke_all_relations(state: State, work: UnitOfWork) -> None:
    """With one relation of a principal to a resource all of them go."""
    asked = tuple_of(state.request)
    for record in work.scan("iam_policy", "principal", asked.principal[:2]):
        other = tuple_of(IamPolicy.FromString(record.data).spec)
        if (other.principal, other.resource) == (asked.principal, asked.resource) and other != asked:
            work.delete("iam_policy", record.id)


def _revoke_of_all_kinds(state: State, work: UnitOfWork) -> None:
    """The policies of every resource with the id go, of whatever kind it is."""
    assert state.existing is not None
    for kind in ("agent", "agent_instance", "environment"):
        for record in work.scan("iam_policy", "resource", (kind, state.existing.id)):
            work.delete("iam_policy", record.id)


def _granting_to_the_caller(run: Run) -> Run:
    def go_on(state: State, work: UnitOfWork) -> State:
        existing, caller = state.existing, known_caller(state)
        state = run(state, work)
        if existing is not None:
            resource = Ref(state.operation.kind.name, existing.id)
            if not state.context.authorizer.holds(caller.ref, "owner", resource, StoredPolicies(work)):
                grant(work, state.context.clock, caller, resource, [(caller.ref, "owner")])
        return state

    return go_on


def _refused_as_create(run: Run) -> Run:
    def go_on(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except PermissionDenied:
            create = OPERATIONS[state.operation.name.replace("apply", "create")].requirement
            raise PermissionDenied(create.error_message if create is not None else "") from None

    return go_on


HOLDER_SINS: tuple[Mutant, ...] = (
    Mutant(
        "apply-by-name",
        "an apply is of what has the name, where nothing has the slug",
        wrap("agent-apply", "LoadForApply", _by_name),
        asked=("APL-*", "DUP-*"),
    ),
    Mutant(
        "update-in-any-organization",
        "an update by slug is of what has the slug first, in whatever organization",
        everywhere("update", lambda operation: wrap(operation, LOAD, _in_any_organization)),
        asked=("EXACT-*", "UPD-*"),
    ),
    Mutant(
        "references-remembered",
        "a reference finds what it found the first time",
        everywhere("get-by-reference", lambda operation: wrap(operation, "LoadByReference", _remembering_references())),
        asked=("EXACT-*", "REF-*"),
    ),
    Mutant(
        "update-moves-for-members",
        "an update moves a resource to another organization of its caller's",
        everywhere("update", lambda operation: wrap(operation, "BuildUpdateState", _moves_for_members_of_both)),
        asked=("KEEP-*", "UPD-ORG", "PERM-STORED-*"),
    ),
    Mutant(
        "update-judged-by-slug",
        "an update with id and slug is authorized on what the slug names",
        everywhere("update", lambda operation: wrap(operation, AUTHORIZE, _judged_by_slug)),
        asked=("PERM-*", "UPD-AUTH", "ATOM-UPD-AUTH"),
    ),
    Mutant(
        "operator-for-life",
        "who was an operator once stays one",
        together(wrap(GET, AUTHORIZE, _operator_for_life), wrap(CREATE, AUTHORIZE, _operator_for_life)),
        asked=("IAM-*",),
    ),
    Mutant(
        "cleanup-overlooked",
        "what was allowed stays so after a cleanup of policies",
        _remembered_until_deleted(),
        asked=("IAM-*",),
    ),
    Mutant(
        "revoke-takes-relations",
        "with one relation all relations of a principal to a resource are revoked",
        then("iam-policy-delete", DELETE, _revoke_all_relations),
        asked=("IAM-*",),
    ),
    Mutant(
        "delete-takes-same-id",
        "a delete takes the policies of whatever has the same id",
        together(*(then(f"{kind}-delete", DELETE, _revoke_of_all_kinds) for kind in KINDS)),
        asked=("DEL-*", "INS-*", "ENV-*"),
    ),
    Mutant(
        "apply-grants-caller",
        "who applies what another owns owns it too",
        everywhere("apply", lambda operation: wrap(operation, CONTINUE, _granting_to_the_caller)),
        asked=("KEEP-*", "APL-*"),
    ),
    Mutant(
        "apply-refused-as-create",
        "an apply that is refused as an update says what a create would say",
        everywhere("apply", lambda operation: wrap(operation, CONTINUE, _refused_as_create)),
        asked=("MESSAGE-*", "APL-*"),
    ),
)
