"""Mutants that take another form of a request, or more of what stands in it, otherwise. A new one is one row."""

from __future__ import annotations

from typing import Any

from protos.ai.stigmer.commons.apiresource.enum_pb2 import platform
from reference_server.errors import AlreadyExists
from reference_server.identity import message_of
from reference_server.pipeline import State
from reference_server.redaction import MASK
from reference_server.steps.authorize import authenticate
from reference_server.unit_of_work import UnitOfWork
from tests.mutants import effects as do
from tests.mutants.mutant import AUTHORIZE, CREATE, DUPLICATE, INSTANCE, PERSIST, REFERENCE, Mutant
from tests.mutants.wrapping import Change, Run, first, together, wrap


def _reserving() -> Change:
    """The slug is taken before the id is looked up, and isn't given back."""
    taken = set[tuple[str, str]]()

    def wrapped(run: Run) -> Run:
        def checked(state: State, work: UnitOfWork) -> State:
            metadata = state.resource.metadata
            key = metadata.org, metadata.slug
            if key in taken:
                raise AlreadyExists("agent", metadata.slug, "", "slug")
            try:
                return run(state, work)
            except AlreadyExists:
                if metadata.id and work.exists("agent", metadata.id):
                    taken.add(key)
                raise

        return checked

    return wrap(CREATE, DUPLICATE, wrapped)


def _falling_back(run: Run) -> Run:
    def found(state: State, work: UnitOfWork) -> State:
        narrow = run(state, work)
        if narrow.candidates or not state.request.org:
            return narrow
        wider = type(state.request)()
        wider.CopyFrom(state.request)
        wider.org, wider.scope = "", platform
        return narrow._replace(candidates=run(state._replace(request=wider), work).candidates)

    return found


def _unless_forced(run: Run) -> Run:
    return lambda state, work: authenticate(state, work) if state.request.force else run(state, work)


def _applied_by_anybody() -> Change:
    """Who applies is asked for credentials, and for no permission to create."""
    applying: list[State] = []

    def within(run: Run) -> Run:
        def applied(state: State, work: UnitOfWork) -> State:
            applying.append(state)
            try:
                return run(state, work)
            finally:
                applying.pop()

        return applied

    def asking(run: Run) -> Run:
        return lambda state, work: authenticate(state, work) if applying else run(state, work)

    return together(
        wrap("environment-apply", "ContinueAsCreateOrUpdate", within), wrap("environment-create", AUTHORIZE, asking)
    )


def _with_the_old_entry(state: State, _: UnitOfWork) -> None:
    if state.existing is None:
        return
    before = message_of(state, state.existing).spec.env_spec.data
    for name, entry in state.request.spec.env_spec.data.items():
        if entry.is_secret and entry.value == MASK and name in before:
            entry.CopyFrom(before[name])


def _once_each(agent: Any) -> None:
    for server in agent.spec.mcp_servers:
        server.stdio.args[:] = list(dict.fromkeys(server.stdio.args))


def _a_hundred_tools(agent: Any) -> None:
    for server in agent.spec.mcp_servers:
        del server.enabled_tools[100:]


def _by_slug(instance: Any) -> None:
    instance.spec.environment_refs.sort(key=lambda reference: reference.slug)


FORM_SINS: tuple[Mutant, ...] = (
    Mutant("slug-kept-by-refused", "a create whose id is taken keeps its slug all the same", _reserving()),
    Mutant(
        "reference-falls-back",
        "a reference finds the platform's agent where the organization has none",
        wrap(REFERENCE, "LoadByReference", _falling_back),
    ),
    Mutant(
        "forced-by-anybody",
        "a forced delete of an environment asks for no permission",
        wrap("environment-delete", AUTHORIZE, _unless_forced),
    ),
    Mutant(
        "applied-by-anybody",
        "an apply that creates an environment asks for no permission",
        _applied_by_anybody(),
    ),
    Mutant(
        "mask-keeps-entry",
        "stars bring back the whole entry of a secret, with its description",
        first("agent-update", "BuildUpdateState", _with_the_old_entry),
    ),
    Mutant(
        "arguments-once",
        "an argument that is repeated is stored once",
        first(CREATE, PERSIST, do.changed_resource(_once_each)),
    ),
    Mutant(
        "tools-cut",
        "of an MCP server's tools a hundred are stored",
        first(CREATE, PERSIST, do.changed_resource(_a_hundred_tools)),
    ),
    Mutant(
        "references-sorted",
        "environment references are stored by slug",
        first(INSTANCE, PERSIST, do.changed_resource(_by_slug)),
    ),
)
