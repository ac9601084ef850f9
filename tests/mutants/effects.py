"""What wrong steps do: the pieces that the mutants are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList
from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import CheckAuthorizationResult
from reference_server.authorization.model import Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.call import SYSTEM, State
from reference_server.errors import (
    AlreadyExists,
    ApiError,
    FieldViolation,
    InvalidArgument,
    NotFound,
    PermissionDenied,
)
from reference_server.identity import message_of
from reference_server.pipeline import run_steps
from reference_server.steps.continue_as_create_or_update import continue_as_create_or_update
from reference_server.steps.create_default_instance import default_instance_state
from reference_server.steps.publish import publish
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Delete, Put
from tests.mutants.wrapping import (
    Change,
    Run,
    Wrapper,
    first,
    leaking,
    store_now,
    swallow,
    then,
    together,
    wrap,
)


def grant_now(state: State, work: UnitOfWork) -> None:
    """Write the parent link of a resource that isn't there (yet)."""
    from reference_server.authorization.model import Statement
    from reference_server.authorization.policies import grant

    metadata = state.request.metadata
    if not metadata.id or not metadata.org:
        return
    loose = UnitOfWork(work._store)
    resource = Ref(state.operation.kind.name, metadata.id)
    grant(replace(state, caller=SYSTEM), loose, Statement(Ref("organization", metadata.org), "organization", resource))
    work._store.commit(loose.batch())


def announce_now(state: State, work: UnitOfWork) -> None:
    if state.request.metadata.id:
        loose = UnitOfWork(work._store)
        publish("created")(replace(state, resource=state.request), loose)
        work._store.commit(loose.batch())


def changed_resource(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        change(state.resource)
        del work

    return effect


def changed_request(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        change(state.request)
        del work

    return effect


def changed_response(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], State]:
    """Change a copy of what is answered; what is stored stays as it is."""

    def effect(state: State, work: UnitOfWork) -> State:
        del work
        response = state.response
        if isinstance(response, bytes):
            message: Message = state.operation.response_type.FromString(response)
        else:
            shown: Any = state.resource if response is None else response
            message = type(shown)()
            message.CopyFrom(shown)
        change(message)
        return replace(state, response=message)

    return effect


def slug(make: Callable[[str], str]) -> Change:
    """Make slugs otherwise, where the client gives none."""

    def before(state: State, work: UnitOfWork) -> None:
        del work
        metadata = state.request.metadata
        if not metadata.slug and metadata.name:
            metadata.slug = make(metadata.name)

    return first("agent-create", "ResolveSlug", before)


def plain_slug(name: str, *, keep: str = "abcdefghijklmnopqrstuvwxyz0123456789-") -> str:
    return "".join(letter for letter in name.lower().replace(" ", "-") if letter in keep)


def collapsed(slug: str) -> str:
    while "--" in slug:
        slug = slug.replace("--", "-")
    return slug.strip("-")


def put_at(path: str, value: object) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            message = getattr(message, parent)
        if value is None:
            message.ClearField(last)
        else:
            setattr(message, last, value)

    return change


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
                if state.rules.profile in each.profiles:
                    state = each.run(state, work)
        except _Found as found:
            record = work.record("agent", found.holder)
            assert record is not None
            return replace(state, response=record.data)
        return state

    return {**spoiled, "agent-create": replace(spoiled["agent-create"], steps=(step(whole, "Whole"),))}


def load_first(run: Run) -> Run:
    """Load before asking who calls: existence shows."""

    def loading(state: State, work: UnitOfWork) -> State:
        wanted = getattr(state.request, "value", "") or getattr(getattr(state.request, "metadata", None), "id", "")
        if wanted and work.data(state.operation.kind.name, wanted) is None:
            raise NotFound(state.operation.kind.name, wanted)
        return run(state, work)

    return loading


def prefix_found(run: Run) -> Run:
    """Find an id by how it begins."""

    def loading(state: State, work: UnitOfWork) -> State:
        for record in work.scan(state.operation.kind.name):
            if record.id.startswith(state.request.value) or state.request.value.startswith(record.id):
                return replace(state, existing=record)
        return run(state, work)

    return loading


def any_kind(run: Run) -> Run:
    """Look for an id in the other kinds too."""

    def loading(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except NotFound:
            for kind in ("agent", "agent_instance", "environment"):
                record = work.record(kind, state.request.value)
                if record is not None:
                    return replace(state, existing=replace(record, data=b""))
            raise

    return loading


def upsert(run: Run) -> Run:
    """Create what an update doesn't find."""

    def loading(state: State, work: UnitOfWork) -> State:
        try:
            return run(state, work)
        except NotFound:
            resource = state.request
            resource.metadata.id = resource.metadata.id or f"agt-{state.rules.clock.new_ulid()}"
            resource.metadata.slug = resource.metadata.slug or plain_slug(resource.metadata.name)
            work._store.commit([Put("agent", resource.metadata.id, resource)])
            record = work.record("agent", resource.metadata.id)
            return replace(state, existing=record)

    return loading


def reloaded(change: Callable[[Any, Any], None]) -> Callable[[State, UnitOfWork], None]:
    """After BuildUpdateState: change the new state, with the stored one at hand."""

    def effect(state: State, work: UnitOfWork) -> None:
        del work
        assert state.existing is not None
        change(state.resource, message_of(state, state.existing))

    return effect


def _remember(path: str) -> tuple[Callable[[State, UnitOfWork], None], Callable[[State, UnitOfWork], None]]:
    """Carry a value that the client sent past a step that replaces it."""
    kept: dict[int, str] = {}

    def before(state: State, work: UnitOfWork) -> None:
        del work
        kept[id(state.request)] = getattr(state.request.metadata, path)

    def after(state: State, work: UnitOfWork) -> None:
        del work
        sent = kept.pop(id(state.request), "")
        if sent:
            setattr(state.resource.metadata, path, sent)

    return before, after


def carrying(operation: str, path: str) -> Change:
    before, after = _remember(path)
    return together(first(operation, "BuildUpdateState", before), then(operation, "BuildUpdateState", after))


def blind_write(run: Run) -> Run:
    """Write whatever is stored by now."""

    def writing(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        for key, put in list(work._puts.items()):
            work._puts[key] = replace(put, precondition="any", expect=None)
        return done

    return writing


def keep(*kinds: str) -> Callable[[State, UnitOfWork], None]:
    """Take the staged removal of these kinds back."""

    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key in [key for key in work._deletes if key[0] in kinds]:
            del work._deletes[key]
        if "agent_instance" in kinds:
            work._conditions.clear()

    return effect


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
            return replace(state, resource=empty, response=empty)

    return deleting


def skip_if_no_resource(run: Run) -> Run:
    def step(state: State, work: UnitOfWork) -> State:
        return state if state.existing is None else run(state, work)

    return step


def without(check: str) -> Wrapper:
    """LoadByReference that overlooks a part of the reference."""

    def wrapper(run: Run) -> Run:
        def loading(state: State, work: UnitOfWork) -> State:
            reference = type(state.request)()
            reference.CopyFrom(state.request)
            reference.ClearField(check)
            return replace(run(replace(state, request=reference), work), request=state.request)

        return loading

    return wrapper


def any_case(run: Run) -> Run:
    def loading(state: State, work: UnitOfWork) -> State:
        state.request.slug = state.request.slug.lower()
        return run(state, work)

    return loading


def slug_by_prefix(run: Run) -> Run:
    def loading(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        if done.candidates:
            return done
        rows = [r for r in work.scan("agent") if state.request.slug.startswith(message_of(state, r).metadata.slug)]
        return replace(done, candidates=tuple(rows))

    return loading


def no_slug_any(run: Run) -> Run:
    def loading(state: State, work: UnitOfWork) -> State:
        if state.request.slug:
            return run(state, work)
        return replace(state, candidates=tuple(work.scan("agent"))[-1:])

    return loading


def listing(change: Callable[[Any, State], None]) -> Callable[[State, UnitOfWork], State]:
    def effect(state: State, work: UnitOfWork) -> State:
        del work
        change(state.response, state)
        return state

    return effect


def drop_first_of_later_pages(response: Any, state: State) -> None:
    if state.request.page.page_token and response.items:
        del response.items[0]


def newest_first(response: Any, state: State) -> None:
    del state
    rows = list(response.items)[::-1]
    del response.items[:]
    response.items.extend(rows)


def all_orgs(state: State, work: UnitOfWork) -> None:
    del work
    state.request.org = ""


def for_everybody(run: Run) -> Run:
    def seeing(state: State, work: UnitOfWork) -> State:
        return replace(run(replace(state, caller=SYSTEM), work), caller=state.caller)

    return seeing


def hide_default(response: Any, state: State) -> None:
    del state
    kept = [row for row in response.items if not row.metadata.slug.endswith("-default")]
    del response.items[:]
    response.items.extend(kept)


def with_deleted(run: Run) -> Run:
    """A list that shows for a while what it once showed."""
    shown: dict[str, Any] = {}

    def listing(state: State, work: UnitOfWork) -> State:
        done = run(state, work)
        response: Any = done.response
        here = {row.metadata.id for row in response.items}
        for row in response.items:
            shown[row.metadata.id] = row
        ghosts = [row for key, row in shown.items() if key not in here and work.data("agent", key) is None]
        response.items.extend(row for row in ghosts if row.metadata.org == state.request.org)
        return done

    return listing


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


def page(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        del work
        change(state.request.page_info)

    return effect


def hundred_by_default(info: Any) -> None:
    info.size = info.size or 100


def page_from_zero(info: Any) -> None:
    info.num += 1


def total_of_page(response: Any, state: State) -> None:
    del state
    response.total_count = len(response.items)


def all_instances(run: Run) -> Run:
    def loading(state: State, work: UnitOfWork) -> State:
        rows = [message_of(state, record) for record in work.scan("agent_instance")]
        mine = [row for row in rows if row.metadata.org.startswith("conform")] or rows
        return replace(state, response=AgentInstanceList(total_count=len(mine), items=mine[-20:]))

    return loading


def always(*, answer: bool) -> Callable[[State, UnitOfWork], State]:
    def step(state: State, work: UnitOfWork) -> State:
        del work
        return replace(state, response=CheckAuthorizationResult(is_authorized=answer))

    return step


def any_relation(run: Run) -> Run:
    """checkAuthorization that overlooks the relation: any link counts."""

    def checking(state: State, work: UnitOfWork) -> State:
        spec = state.request.policy
        principal = Ref(spec.principal.kind, spec.principal.id)
        reader = StoredPolicies(work)
        held = any(statement.resource.id == spec.resource.id for statement in reader.of(principal))
        done = run(state, work)
        return replace(done, response=CheckAuthorizationResult(is_authorized=True)) if held else done

    return checking


def operators_only(state: State, work: UnitOfWork) -> None:
    caller = state.caller
    if caller is not None and not state.rules.authorizer.is_operator(caller.ref, StoredPolicies(work)):
        raise PermissionDenied("operators only")


def remembering_refusals() -> Wrapper:
    """Authorize with a memory: what was once refused stays refused, and what was once allowed stays allowed."""
    memory: dict[tuple[str, str], bool] = {}

    def wrapper(run: Run) -> Run:
        def remembering(state: State, work: UnitOfWork) -> State:
            key = (state.actor.id, state.request.value)
            if memory.get(key):
                return state
            done = run(state, work)
            memory[key] = True
            return done

        return remembering

    return wrapper


def forget_unknown_fields(state: State, work: UnitOfWork) -> None:
    del work
    state.resource.DiscardUnknownFields()


def change(text: str) -> Callable[[Any], None]:
    def normalize(resource: Any) -> None:
        resource.spec.description = resource.spec.description.replace(text, "")

    return normalize


def drop_field(path: str) -> Callable[[Any], None]:
    return put_at(path, None)


def reveal_in_event(state: State, work: UnitOfWork) -> None:
    """Announce the resource as it is stored, secrets included."""
    from reference_server.events.outbox import stage_event

    before = {key for key in work._puts if key[0] == "event"}
    for key in before:
        del work._puts[key]
    resource = state.resource
    stage_event(state, work, state.operation.kind, resource.metadata.id, "created", resource.SerializeToString())


def event_without(name: str) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key, put in work._puts.items():
            if key[0] == "event":
                put.message.ClearField(name)

    return effect


def invalid(_: ApiError) -> ApiError:
    return InvalidArgument([FieldViolation("x", "is wrong")])


def no_details(refused: ApiError) -> ApiError:
    bare = InvalidArgument(())
    bare.message = refused.message
    return bare


def nothing(state: State, work: UnitOfWork) -> State:
    del work
    return state


def take_request(state: State, work: UnitOfWork) -> State:
    del work
    return replace(state, resource=state.request)


def no_default_slug(state: State, work: UnitOfWork) -> None:
    """For the default instance: make the slug of the name, so that two agents of one name collide."""
    del work
    if state.request.metadata.slug.endswith("-default"):
        state.request.metadata.slug = ""


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
            spec = getattr(put.message, "spec", None)
            if key[0] == "iam_policy" and spec is not None and (spec.resource.kind, spec.relation) == (kind, relation):
                del work._puts[key]

    return effect


def everybody_owns(state: State, work: UnitOfWork) -> None:
    """Give the organization's admins ownership of what is created: too much of a good thing."""
    from reference_server.authorization.model import Statement
    from reference_server.authorization.policies import grant

    grant(
        state,
        work,
        Statement(Ref("identity_account", "ida-org_admin"), "owner", Ref("agent", state.resource.metadata.id)),
    )


def message(text: str) -> Callable[[ApiError], ApiError]:
    return lambda _: PermissionDenied(text)


def without_selections(resource: Any) -> None:
    for sub_agent in resource.spec.sub_agents:
        sub_agent.ClearField("mcp_tool_selections")


def hide_everything(response: Any) -> None:
    values = response.spec.env_spec.data
    for name in list(values):
        values[name].value = "***"


def without_region(resource: Any) -> None:
    resource.spec.data.pop("REGION", None)


def without_actors(audit: Any) -> None:
    audit.ClearField("created_by")
    audit.ClearField("updated_by")


def store_under_id(state: State, work: UnitOfWork) -> None:
    """Store a duplicate under another slug, so that both can be found."""
    state.resource.metadata.slug = state.resource.metadata.id
    store_now(state, work)


def overwrite(state: State, work: UnitOfWork) -> None:
    """Put the new spec over the resource that holds the slug or the id."""
    for record in work.scan("agent"):
        stored = message_of(state, record)
        if stored.metadata.slug == state.resource.metadata.slug or record.id == state.resource.metadata.id:
            stored.spec.CopyFrom(state.resource.spec)
            stored.spec.description += " (overwritten)"
            work._store.commit([Put("agent", record.id, stored)])
            return


def overwrite_by_id(state: State, work: UnitOfWork) -> None:
    record = work.record("agent", state.request.metadata.id)
    if record is not None:
        stored = message_of(state, record)
        stored.spec.CopyFrom(state.request.spec)
        work._store.commit([Put("agent", record.id, stored)])


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
    create = state.rules.operations["agent-create"]
    bare = replace(create, steps=tuple(step for step in create.steps if step.name != "CreateDefaultInstance"))
    return run_steps(replace(state, operation=bare, resource=None, existing=None), work)


def unique_by_org(operation: str) -> Change:
    """Leave uniqueness to the store, whose index goes by organization."""
    deaf = wrap(operation, "CheckDuplicate", swallow)
    return together(deaf, then(operation, "Persist", lambda state, work: work._conditions.clear()))


def one_more_tag(state: State, work: UnitOfWork) -> None:
    """Add a tag to those that are stored, every time."""
    del work
    if state.existing is not None:
        state.request.metadata.tags.extend([*message_of(state, state.existing).metadata.tags, "again"])


def of_the_request(run: Run) -> Run:
    """Run a step on the request as it came."""

    def early(state: State, work: UnitOfWork) -> State:
        return run(replace(state, resource=state.request), work)

    return early


def own_slug(state: State, work: UnitOfWork) -> None:
    """Give every apply of something new a slug of its own."""
    metadata = state.request.metadata
    if not metadata.id and not metadata.slug and work.find("agent", "slug", (metadata.name,)) is None:
        metadata.slug = f"{metadata.name}-{state.rules.clock.new_ulid()[-6:]}"


def delete_now(state: State, work: UnitOfWork) -> None:
    if work.data("agent", state.request.value) is not None:
        work._store.commit([Delete("agent", state.request.value)])


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


def stored_first(operation: str) -> Change:
    """What breaks a constraint is stored before it is refused."""
    return wrap(operation, "ValidateFieldConstraints", leaking(store_now))
