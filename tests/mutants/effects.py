"""What wrong steps have in common: small changes of requests, resources and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import (
    ApiError,
    FieldViolation,
    InvalidArgument,
    PermissionDenied,
)
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork
from tests.mutants.wrapping import (
    Change,
    first,
    store_now,
)


def changed_resource(change: Callable[[Any], None]) -> Callable[[State, UnitOfWork], None]:
    def effect(state: State, work: UnitOfWork) -> None:
        change(state.resource)
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
        return state._replace(response=message)

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


def keep(*kinds: str) -> Callable[[State, UnitOfWork], None]:
    """Take the staged removal of these kinds back."""

    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key in [key for key in work._deletes if key[0] in kinds]:
            del work._deletes[key]
        if "agent_instance" in kinds:
            work._conditions.clear()

    return effect


def listing(change: Callable[[Any, State], None]) -> Callable[[State, UnitOfWork], State]:
    def effect(state: State, work: UnitOfWork) -> State:
        del work
        change(state.response, state)
        return state

    return effect


def operators_only(state: State, work: UnitOfWork) -> None:
    caller = state.caller
    if caller is not None and not state.context.authorizer.is_operator(caller.ref, StoredPolicies(work)):
        raise PermissionDenied("operators only")


def change(text: str) -> Callable[[Any], None]:
    def normalize(resource: Any) -> None:
        resource.spec.description = resource.spec.description.replace(text, "")

    return normalize


def drop_field(path: str) -> Callable[[Any], None]:
    return put_at(path, None)


def cut(path: str, count: int) -> Callable[[Any], None]:
    """Leave no more than so many of a repeated field."""

    def shortened(message: Any) -> None:
        del getattr(message, path)[count:]

    return shortened


def invalid(_: ApiError) -> ApiError:
    return InvalidArgument([FieldViolation("x", "is wrong")])


def nothing(state: State, work: UnitOfWork) -> State:
    del work
    return state


def message(text: str) -> Callable[[ApiError], ApiError]:
    return lambda _: PermissionDenied(text)


def store_under_id(state: State, work: UnitOfWork) -> None:
    """Store a duplicate under another slug, so that both can be found."""
    state.resource.metadata.slug = state.resource.metadata.id
    store_now(state, work)
