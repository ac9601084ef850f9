"""Mutants that let operators alone take a way that is everybody's. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable

from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import PermissionDenied
from reference_server.pipeline import State
from reference_server.steps.authorize import known_caller
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.mutant import AUTHORIZE, ENVIRONMENT, Mutant
from tests.mutants.wrapping import Change, Run, wrap


def _operators_only(operation: str, step: str, taken: Callable[[State], bool]) -> Change:
    """Refuse the others where a request takes the way."""

    def wrapped(run: Run) -> Run:
        def asked(state: State, work: UnitOfWork) -> State:
            caller = known_caller(state).ref
            if taken(state) and not state.context.authorizer.is_operator(caller, StoredPolicies(work)):
                raise PermissionDenied("unauthorized")
            return run(state, work)

        return asked

    return wrap(operation, step, wrapped)


def _without_id(state: State) -> bool:
    return not state.request.metadata.id


WAYS_SINS: tuple[Mutant, ...] = (
    Mutant(
        "update-without-id-operators-only",
        "an update that names an agent by its slug is for operators",
        _operators_only("agent-update", AUTHORIZE, _without_id),
    ),
    Mutant(
        "apply-without-id-operators-only",
        "an apply that finds an environment by its slug is for operators",
        _operators_only(
            "environment-apply", "LoadForApply", lambda s: _without_id(s) and s.request.metadata.slug != ""
        ),
    ),
    Mutant(
        "slug-operators-only",
        "an environment's slug is chosen by operators",
        _operators_only(ENVIRONMENT, AUTHORIZE, lambda state: state.request.metadata.slug != ""),
    ),
    Mutant(
        "reference-without-org-operators-only",
        "a reference that names no organization is for operators",
        _operators_only("environment-get-by-reference", AUTHORIZE, lambda state: not state.request.org),
    ),
    Mutant(
        "later-pages-operators-only",
        "all pages of a list but the first are for operators",
        _operators_only("agent-list", AUTHORIZE, lambda state: state.request.page.page_token != ""),
    ),
    Mutant(
        "later-instances-operators-only",
        "all pages of an agent's instances but the first are for operators",
        _operators_only("agent-instance-get-by-agent", AUTHORIZE, lambda state: state.request.page_info.num > 1),
    ),
)
