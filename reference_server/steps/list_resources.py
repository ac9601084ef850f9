"""ListResources: one page of a kind, in order of creation, of what the caller may view."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from reference_server.authorization.model import SYSTEM, Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.identity import message_of
from reference_server.paging import LIST_SIZE_DEFAULT, position_of, token_of
from reference_server.pipeline import State
from reference_server.profile import Profile
from reference_server.redaction import redacted
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Record

_PAGE_BYTES_MAX = 3 * 1024 * 1024
"""A page ends early at this size: gRPC clients take 4 MiB unless told otherwise. One resource always fits."""


def list_resources(state: State, work: UnitOfWork) -> State:
    """Answer a page and the token of the next one. A token is a position, so pages neither skip nor repeat."""
    request = state.request
    size = request.page.size or LIST_SIZE_DEFAULT
    key = (request.org,) if request.org else None
    records = work.scan(
        state.operation.kind.name, "org" if key else None, key, after=position_of(request.page.page_token)
    )
    response: Any = state.operation.response_type()
    taken = last = 0
    for record in records:
        if len(response.items) == size or (taken and taken + len(record.data) > _PAGE_BYTES_MAX):
            response.next_page_token = token_of(last)
            break
        last = record.position
        if viewable(state, work, record):
            taken += len(record.data)
            response.items.append(_public(state, record))
    return state.with_response(response)


def viewable(state: State, work: UnitOfWork, record: Record) -> bool:
    """Say whether the caller may view a resource of the operation's kind."""
    caller = state.actor
    if caller is SYSTEM:
        return True
    resource = Ref(state.operation.kind.name, record.id)
    return state.context.authorizer.allows(caller.ref, "can_view", resource, StoredPolicies(work))


def _public(state: State, record: Record) -> Message:
    message: Message = message_of(state, record)
    if state.context.profile is Profile.CLOUD:
        message = redacted(state.operation.kind, message)
    return message
