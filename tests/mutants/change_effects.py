"""What wrong updates, applies and deletes do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from reference_server.errors import (
    NotFound,
)
from reference_server.identity import message_of
from reference_server.pipeline import State, run_steps
from reference_server.steps.continue_as_create_or_update import continue_as_create_or_update
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Delete, Put
from tests.mutants.effects import _remember, plain_slug
from tests.mutants.wrapping import (
    Change,
    Run,
    commit_at_once,
    first,
    then,
    together,
)


def upsert(run: Run) -> Run:
    """Create what an update doesn't find."""

    def loading(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except NotFound:
            resource = state.request
            resource.metadata.id = resource.metadata.id or f"agt-{state.context.clock.new_ulid()}"
            resource.metadata.slug = resource.metadata.slug or plain_slug(resource.metadata.name)
            commit_at_once(state, work, [Put("agent", resource.metadata.id, resource)])
            record = work.record("agent", resource.metadata.id)
            return state._replace(existing=record)

    return loading


def reloaded(change: Callable[[Any, Any], None]) -> Callable[[State, UnitOfWork], None]:
    """After BuildUpdateState: change the new state, with the stored one at hand."""

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        assert state.existing is not None
        change(state.resource, message_of(state, state.existing))

    return effect


def carrying(operation: str, path: str) -> Change:
    before, after = _remember(path)
    return together(first(operation, "BuildUpdateState", before), then(operation, "BuildUpdateState", after))


def delete_neighbour(state: State, work: UnitOfWork) -> None:
    """Delete the newest other agent's instances too."""
    newest = [record for record in work.scan("agent_instance") if record.id not in {key[1] for key in work._deletes}]
    if newest:
        work.delete("agent_instance", newest[-1].id)
    del state


def forgiving(run: Run) -> Run:
    def deleting(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except NotFound:
            empty = state.operation.response_type()
            return state._replace(resource=empty, response=empty)

    return deleting


def skip_if_no_resource(run: Run) -> Run:
    def step(state: State, work: UnitOfWork) -> State:
        return state if state.existing is None else run(state, work)

    return step


def without_region(resource: Any) -> None:
    resource.spec.data.pop("REGION", None)


def overwrite_by_id(state: State, work: UnitOfWork) -> None:
    record = work.record("agent", state.request.metadata.id)
    if record is not None:
        stored = message_of(state, record)
        stored.spec.CopyFrom(state.request.spec)
        commit_at_once(state, work, [Put("agent", record.id, stored)])


def must_exist(state: State, work: UnitOfWork) -> None:
    metadata = state.request.metadata
    if metadata.id and work.data("agent", metadata.id) is None:
        raise NotFound("agent", metadata.id)


def store_labels(state: State, work: UnitOfWork) -> None:
    """Keep the labels of the first writer, whoever writes next."""
    del work
    assert state.existing is not None
    stored = message_of(state, state.existing)
    if stored.metadata.labels:
        state.resource.metadata.labels.clear()
        state.resource.metadata.labels.update(stored.metadata.labels)


def apply_bare(state: State, work: UnitOfWork) -> State:
    if state.existing is not None:
        return continue_as_create_or_update(state, work)
    create = state.context.operations["agent-create"]
    bare = replace(create, steps=tuple(step for step in create.steps if step.name != "CreateDefaultInstance"))
    return run_steps(state._replace(operation=bare, resource=None, existing=None), work)


def apply_as_if_whole(state: State, work: UnitOfWork) -> State:
    """Update an agent that lacks its default instance like any other."""
    if state.existing is None:
        return continue_as_create_or_update(state, work)
    state.request.metadata.id = state.existing.id
    update = state.context.operations["agent-update"]
    return run_steps(state._replace(operation=update, resource=None, existing=None), work)


def one_more_tag(state: State, work: UnitOfWork) -> None:
    """Add a tag to those that are stored, every time."""
    del work
    if state.existing is not None:
        state.request.metadata.tags.extend([*message_of(state, state.existing).metadata.tags, "again"])


def own_slug(state: State, work: UnitOfWork) -> None:
    """Give every apply of something new a slug of its own."""
    metadata = state.request.metadata
    if not metadata.id and not metadata.slug and work.find("agent", "slug", (metadata.name,)) is None:
        metadata.slug = f"{metadata.name}-{state.context.clock.new_ulid()[-6:]}"


def delete_now(state: State, work: UnitOfWork) -> None:
    if work.data("agent", state.request.value) is not None:
        commit_at_once(state, work, [Delete("agent", state.request.value)])


def adopt(state: State, work: UnitOfWork) -> None:
    """Make every new instance its agent's default one."""
    agent_id = state.resource.spec.agent_id
    record = work.record("agent", agent_id)
    if record is not None and record.revision >= 0:
        agent = Agent.FromString(record.data)
        agent.status.default_instance_id = state.resource.metadata.id
        work.replace("agent", agent_id, agent, record.revision)


def as_new(run: Run) -> Run:
    """Find nothing, so that every apply is a create."""
    del run

    def loading(state: State, work: UnitOfWork) -> State:
        del work
        return state

    return loading
