"""What wrong reads, lists and questions do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceList
from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import CheckAuthorizationResult
from reference_server.authorization.model import SYSTEM, Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import (
    NotFound,
)
from reference_server.identity import message_of
from reference_server.paging import LIST_SIZE_DEFAULT, position_of
from reference_server.pipeline import State
from reference_server.profile import Profile
from reference_server.steps.list_resources import judged
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.wrapping import (
    Run,
    Wrapper,
)


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
                return state._replace(existing=record)
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
                    return state._replace(existing=record._replace(data=b""))
            raise

    return loading


def without(check: str) -> Wrapper:
    """LoadByReference that overlooks a part of the reference."""

    def wrapper(run: Run) -> Run:
        def loading(state: State, work: UnitOfWork) -> State:
            reference = type(state.request)()
            reference.CopyFrom(state.request)
            reference.ClearField(check)
            return run(state._replace(request=reference), work)._replace(request=state.request)

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
        return done._replace(candidates=tuple(rows))

    return loading


def no_slug_any(run: Run) -> Run:
    def loading(state: State, work: UnitOfWork) -> State:
        if state.request.slug:
            return run(state, work)
        return state._replace(candidates=tuple(work.scan("agent"))[-1:])

    return loading


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


def unredacted(run: Run) -> Run:
    """Show a list as the oss profile does, where nothing is hidden."""

    def listing(state: State, work: UnitOfWork) -> State:
        plain = replace(state.context, profile=Profile.OSS)
        return run(state._replace(context=plain), work)._replace(context=state.context)

    return listing


def unredacted_later(run: Run) -> Run:
    """Show the pages behind the first one as the oss profile does."""
    revealing = unredacted(run)
    return lambda state, work: (revealing if state.request.page.page_token else run)(state, work)


def ending_with_an_empty_page(run: Run) -> Run:
    """Leave out of a page what the caller may not view: where nothing of it is left, the list seems to end."""

    def listing(state: State, work: UnitOfWork) -> State:
        request, kind = state.request, state.operation.kind.name
        size, after = request.page.size or LIST_SIZE_DEFAULT, position_of(request.page.page_token)
        key = (request.org,) if request.org else None
        rows = work.scan(kind, "org" if key else None, key, after=after, limit=size)
        visible = [is_viewable for _, is_viewable in judged(state, work, rows)]
        return run(state, work) if any(visible) else state.with_response(state.operation.response_type())

    return listing


def for_everybody(run: Run) -> Run:
    def seeing(state: State, work: UnitOfWork) -> State:
        return run(state._replace(caller=SYSTEM), work)._replace(caller=state.caller)

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


def page(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        del work
        change(state.request.page_info)

    return effect


def hundred_by_default(info: Any) -> None:
    info.size = info.size or 100


def page_from_zero(info: Any) -> None:
    info.num += 1


def unpaged(state: State, work: UnitOfWork) -> State:
    """Everything that an agent has, to who sees anything of it."""
    if not isinstance(state.response, AgentInstanceList) or not state.response.total_count:
        return state
    records = work.scan(state.operation.kind.name, "agent", (state.request.agent_id,))
    items = [message_of(state, record) for record in records]
    return state.with_response(AgentInstanceList(total_count=len(items), items=items))


def total_of_page(response: Any, state: State) -> None:
    del state
    response.total_count = len(response.items)


def all_instances(run: Run) -> Run:
    def loading(state: State, work: UnitOfWork) -> State:
        rows = [message_of(state, record) for record in work.scan("agent_instance")]
        mine = [row for row in rows if row.metadata.org.startswith("conform")] or rows
        return state._replace(response=AgentInstanceList(total_count=len(mine), items=mine[-20:]))

    return loading


def always(*, answer: bool) -> Callable[[State, UnitOfWork], State]:
    def step(state: State, work: UnitOfWork) -> State:
        del work
        return state._replace(response=CheckAuthorizationResult(is_authorized=answer))

    return step


def any_relation(run: Run) -> Run:
    """checkAuthorization that overlooks the relation: any link counts."""

    def checking(state: State, work: UnitOfWork) -> State:
        spec = state.request.policy
        principal = Ref(spec.principal.kind, spec.principal.id)
        reader = StoredPolicies(work)
        held = any(statement.resource.id == spec.resource.id for statement in reader.of(principal))
        done = run(state, work)
        return done._replace(response=CheckAuthorizationResult(is_authorized=True)) if held else done

    return checking


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
