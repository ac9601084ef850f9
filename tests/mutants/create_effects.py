"""What the steps of a wrong create do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from reference_server.authorization.model import SYSTEM, Ref
from reference_server.errors import (
    AlreadyExists,
    ApiError,
    InvalidArgument,
)
from reference_server.identity import message_of
from reference_server.pipeline import State, run_steps
from reference_server.steps.create_default_instance import default_instance_state
from reference_server.steps.publish import publish
from reference_server.unit_of_work import UnitOfWork, staged_message
from stores.contract import Put
from tests.mutants.effects import changed_response, put_at
from tests.mutants.wrapping import (
    Change,
    Run,
    commit_at_once,
    leaking,
    store_now,
    swallow,
    then,
    together,
    wrap,
)


def quoting(run: Run) -> Run:
    """Refuse in words that quote the values of the request."""

    def quoted(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except ApiError as refused:
            spec = state.request.spec
            refused.message = str(spec.env_spec if hasattr(spec, "env_spec") else spec)
            raise

    return quoted


def grant_now(state: State, work: UnitOfWork) -> None:
    """Write the parent link of a resource that isn't there (yet)."""
    from reference_server.authorization.policies import grant

    metadata = state.request.metadata
    if not metadata.id or not metadata.org:
        return
    loose = UnitOfWork(work._store)
    resource = Ref(state.operation.kind.name, metadata.id)
    parent = Ref("organization", metadata.org)
    grant(loose, state.context.clock, SYSTEM, resource, ((parent, "organization"),))
    commit_at_once(state, work, loose.batch())


def announce_now(state: State, work: UnitOfWork) -> None:
    if state.request.metadata.id:
        loose = UnitOfWork(work._store)
        publish("created", state._replace(resource=state.request), loose)
        commit_at_once(state, work, loose.batch())


def changed_request(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        change(state.request)
        del work

    return effect


def collapsed(slug: str) -> str:
    while "--" in slug:
        slug = slug.replace("--", "-")
    return slug.strip("-")


def audits(change: Callable[[Any], None]) -> Callable[[Any], None]:
    def both(resource: Any) -> None:
        change(resource.status.audit.spec_audit)
        change(resource.status.audit.status_audit)

    return both


def client_audit(state: State, work: UnitOfWork) -> None:
    """Remember the times that the client sent; SetDefaults has dropped them from the resource by then."""
    del work
    sent = Timestamp()
    sent.CopyFrom(state.request.status.audit.spec_audit.created_at)
    if sent.seconds:
        state.request.metadata.annotations["sent"] = sent.ToJsonString()


def restore_client_audit(state: State, work: UnitOfWork) -> None:
    del work
    sent = state.resource.metadata.annotations.pop("sent", "")
    if sent:
        state.resource.status.audit.spec_audit.created_at.FromJsonString(sent)


def keep_client_status(run: Run) -> Run:
    def keeping(state: State, work: UnitOfWork) -> State:
        named = state.request.status.default_instance_id
        done = run(state, work)
        if named:
            done.resource.status.default_instance_id = named
        return done

    return keeping


def keep_named_instance(run: Run) -> Run:
    """With the client's default instance already named, don't name another."""

    def keeping(state: State, work: UnitOfWork) -> State:
        return state if state.resource.status.default_instance_id else run(state, work)

    return keeping


def reused_ids(state: State, work: UnitOfWork) -> None:
    """An id made of the slug: the next resource of this slug has it again."""
    del work
    metadata = state.resource.metadata
    if not metadata.id:
        letters = "".join(letter for letter in metadata.slug if letter in "0123456789abcdefghjkmnpqrstvwxyz")
        metadata.id = f"agt-{letters[-26:].rjust(26, '0')}"


def _as_found(run: Run) -> Run:
    """Answer a duplicate with the resource that is there."""

    def friendly(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except AlreadyExists as taken:
            raise _Found(taken.holder_id) from None

    return friendly


class _Found(ApiError):
    """Not an error: carries the holder out of the pipeline to where the answer is made."""

    def __init__(self, holder: str) -> None:
        super().__init__("found")
        self.holder = holder


def duplicate_ok(operations: Mapping[str, Any]) -> Mapping[str, Any]:
    """Run the create; when it finds a duplicate, answer the holder instead."""
    from reference_server.pipeline import step

    spoiled = wrap("agent-create", "CheckDuplicate", _as_found)(operations)
    steps = spoiled["agent-create"].steps

    def whole(state: State, work: UnitOfWork) -> State:
        try:
            for each in steps:
                if state.context.profile in each.profiles:
                    state = each.run(state, work)
        except _Found as found:
            record = work.record("agent", found.holder)
            assert record is not None
            return state._replace(response=record.data)
        return state

    return {**spoiled, "agent-create": replace(spoiled["agent-create"], steps=(step(whole, "Whole"),))}


def plain_list(run: Run) -> Run:
    """A list with the stored agents as they are, secrets included."""

    def listing(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        response: Any = done.response
        for row in response.items:
            data = work.data("agent", row.metadata.id)
            if data is not None:
                row.CopyFrom(message_of(state, work.record("agent", row.metadata.id)))  # type: ignore[arg-type]
        return done

    return listing


def forget_unknown_fields(state: State, work: UnitOfWork) -> None:
    del work
    state.resource.DiscardUnknownFields()


def reveal_in_event(state: State, work: UnitOfWork) -> None:
    """Announce the resource as it is stored, secrets included."""
    from reference_server.events.outbox import stage_event

    before = {key for key in work._puts if key[0] == "event"}
    for key in before:
        del work._puts[key]
    resource = state.resource
    data = resource.SerializeToString()
    stage_event(work, state.context.clock, state.operation.kind, resource.metadata.id, "created", data)


def event_without(name: str) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key, put in work._puts.items():
            if key[0] == "event":
                event = staged_message(put)
                event.ClearField(name)
                work._puts[key] = put._replace(message=event, data=None)

    return effect


def no_details(refused: ApiError) -> ApiError:
    bare = InvalidArgument(())
    bare.message = refused.message
    return bare


def take_request(state: State, work: UnitOfWork) -> State:
    del work
    return state._replace(resource=state.request)


def no_default_slug(state: State, work: UnitOfWork) -> None:
    """For the default instance: make the slug of the name, so that two agents of one name collide."""
    del work
    if state.request.metadata.slug.endswith("-default"):
        state.request.metadata.slug = ""


def other_default_slug(state: State, work: UnitOfWork) -> None:
    """For the default instance: another slug, as unique as the agent's."""
    del work
    metadata = state.request.metadata
    if metadata.slug.endswith("-default"):
        metadata.slug = f"{metadata.slug.removesuffix('-default')}-main"


def reader_of(kind: str) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        for key in [key for key in work._puts if key[0] == kind]:
            del work._puts[key]
        del state

    return effect


def policies_about(kind: str, relation: str) -> Callable[[State, UnitOfWork], None]:
    """Forget the staged policies of a relation about a kind."""

    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key, put in list(work._puts.items()):
            spec = staged_message(put).spec if key[0] == "iam_policy" else None
            if spec is not None and (spec.resource.kind, spec.relation) == (kind, relation):
                del work._puts[key]

    return effect


def everybody_owns(state: State, work: UnitOfWork) -> None:
    """Give the organization's admins ownership of what is created: too much of a good thing."""
    from reference_server.authorization.policies import grant

    admin = Ref("identity_account", "ida-org_admin")
    grant(work, state.context.clock, state.actor, Ref("agent", state.resource.metadata.id), ((admin, "owner"),))


def without_selections(resource: Any) -> None:
    for sub_agent in resource.spec.sub_agents:
        sub_agent.ClearField("mcp_tool_selections")


def hide_everything(response: Any) -> None:
    values = response.spec.env_spec.data
    for name in list(values):
        values[name].value = "***"


def without_actors(audit: Any) -> None:
    audit.ClearField("created_by")
    audit.ClearField("updated_by")


def overwrite(state: State, work: UnitOfWork) -> None:
    """Put the new spec over the resource that holds the slug or the id."""
    for record in work.scan("agent"):
        stored = message_of(state, record)
        if stored.metadata.slug == state.resource.metadata.slug or record.id == state.resource.metadata.id:
            stored.spec.CopyFrom(state.resource.spec)
            stored.spec.description += " (overwritten)"
            commit_at_once(state, work, [Put("agent", record.id, stored)])
            return


def taken_anywhere(state: State, work: UnitOfWork) -> None:
    """Refuse a slug that any agent has, in whatever organization."""
    holder = work.find("agent", "slug", (state.resource.metadata.slug,))
    if holder is not None:
        raise AlreadyExists("agent", state.resource.metadata.slug, holder, "slug")


def one_more_instance(state: State, work: UnitOfWork) -> None:
    second = default_instance_state(state)
    second.request.metadata.slug += "-2"
    run_steps(second, work)


def if_default(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    """Change default instances only."""

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        if state.request.metadata.slug.endswith("-default"):
            change(state.request)

    return effect


def with_default(state: State, work: UnitOfWork) -> State:
    named = work.find("agent_instance", "agent", (state.resource.metadata.id,)) or ""
    return changed_response(put_at("status.default_instance_id", named))(state, work)


def event_and_no_agent(run: Run) -> Run:
    """Announce the agent and forget to store it."""

    def publishing(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        work._puts.pop(("agent", state.resource.metadata.id), None)
        return done

    return publishing


def unique_by_org(operation: str) -> Change:
    """Leave uniqueness to the store, whose index goes by organization."""
    deaf = wrap(operation, "CheckDuplicate", swallow)
    return together(deaf, then(operation, "Persist", lambda state, work: work._conditions.clear()))


def of_the_request(run: Run) -> Run:
    """Run a step on the request as it came."""

    def early(state: State, work: UnitOfWork) -> State:
        return run(state._replace(resource=state.request), work)

    return early


def stored_first(operation: str) -> Change:
    """What breaks a constraint is stored before it is refused."""
    return wrap(operation, "ValidateFieldConstraints", leaking(store_now))
