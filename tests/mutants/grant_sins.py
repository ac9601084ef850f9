"""Mutants that overlook a grant, or go on with one that is gone. A new one is one row."""

from __future__ import annotations

from reference_server.authorization.policies import tuple_of
from reference_server.pipeline import State
from reference_server.steps.authorize import known_caller
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record
from tests.mutants import effects as do
from tests.mutants.mutant import AUTHORIZE, PERSIST, VALIDATE, Mutant
from tests.mutants.wrapping import Change, Run, first, then, together, wrap

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
)
