"""Mutants of the operations on environments. A new one is one row."""

from __future__ import annotations

from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from reference_server.errors import NotFound
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from tests.mutants import change_effects as ch
from tests.mutants import effects as do
from tests.mutants import operator_effects as op
from tests.mutants import read_effects as rd
from tests.mutants.mutant import (
    AUTHORIZE,
    DUPLICATE,
    ENVIRONMENT,
    PERSIST,
    PUBLISH,
    TRANSFORM,
    Mutant,
)
from tests.mutants.wrapping import Run, answering, first, leaking, omit, store_now, then, together, wrap

_DELETE = "environment-delete"


def _gone_is_gone(run: Run) -> Run:
    """Where a delete is forced, what isn't there is deleted already."""

    def load(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except NotFound:
            if state.request.force:
                return state.with_resource(Environment())
            raise

    return load


def _where_it_is(run: Run) -> Run:
    return lambda state, work: state if state.existing is None else run(state, work)


def _in_organizations_only(run: Run) -> Run:
    return lambda state, work: run(state, work) if state.resource.metadata.owner_scope == organization else state


ENVIRONMENT_SINS: tuple[Mutant, ...] = (
    Mutant(
        "environment-forced-delete-again",
        "a forced delete of an environment that isn't there is answered OK",
        together(
            wrap(_DELETE, "LoadExistingForDelete", _gone_is_gone),
            *(wrap(_DELETE, step, _where_it_is) for step in ("DeleteResource", PUBLISH)),
        ),
        asked=("ENV-*",),
    ),
    Mutant(
        "no-organization-deleted-untold",
        "that something of no organization is deleted is announced to nobody",
        together(*(wrap(f"{kind}-delete", PUBLISH, _in_organizations_only) for kind in ("agent", "environment"))),
        asked=("EVT-*",),
    ),
    Mutant(
        "environment-authorize-omitted",
        "environments are everybody's",
        together(*(omit(f"environment-{v}", AUTHORIZE) for v in ("create", "get", "update", "delete"))),
    ),
    Mutant(
        "environment-denied-stored",
        "a denied environment is stored before it is refused",
        wrap(ENVIRONMENT, AUTHORIZE, leaking(store_now)),
    ),
    Mutant(
        "environment-duplicate-stored",
        "a duplicate environment is stored before it is refused",
        wrap(
            ENVIRONMENT,
            DUPLICATE,
            leaking(do.store_under_id),
        ),
    ),
    Mutant(
        "environment-duplicate-wrong-code",
        "a duplicate environment is answered INVALID_ARGUMENT",
        wrap(ENVIRONMENT, DUPLICATE, answering(do.invalid)),
    ),
    Mutant(
        "environment-drops-values",
        "values of an environment are lost",
        first(ENVIRONMENT, PERSIST, do.changed_resource(ch.without_region)),
    ),
    Mutant(
        "environment-secrets",
        "answers, lists and events show an environment's secrets",
        together(
            *(omit(f"environment-{v}", TRANSFORM) for v in ("create", "get", "get-by-reference", "update", "delete")),
            *(then(f"environment-{v}", PUBLISH, op.revealing_event) for v in ("create", "update", "delete")),
            wrap("environment-list", "ListResources", rd.unredacted),
        ),
    ),
    Mutant(
        "environment-update-merges",
        "an update of an environment keeps its name",
        then(
            "environment-update",
            "BuildUpdateState",
            ch.reloaded(lambda new, old: do.put_at("metadata.name", old.metadata.name)(new)),
        ),
    ),
    Mutant(
        "environment-apply-creates",
        "an apply of an environment is a create",
        wrap("environment-apply", "LoadForApply", ch.as_new),
    ),
    Mutant(
        "environment-delete-keeps",
        "a deleted environment stays",
        then("environment-delete", "DeleteResource", do.keep("environment")),
    ),
)
