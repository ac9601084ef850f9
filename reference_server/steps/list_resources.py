"""ListResources: one page of a kind, in order of creation, of what the caller may view."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
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
_TOGETHER = 50
"""So many decisions are asked for at once, where that spares round trips."""


def list_resources(state: State, work: UnitOfWork) -> State:
    """Answer a page and the token of the next one. A token is a position, so pages neither skip nor repeat."""
    request = state.request
    size = request.page.size or LIST_SIZE_DEFAULT
    records = _in_portions(state, work, size + 1)
    response: Any = state.operation.response_type()
    taken = last = 0
    for record, is_viewable in judged(state, work, records):
        if len(response.items) == size or (taken and taken + len(record.data) > _PAGE_BYTES_MAX):
            response.next_page_token = token_of(last)
            break
        last = record.position
        if is_viewable:
            taken += len(record.data)
            response.items.append(_public(state, record))
    return state.with_response(response)


def _in_portions(state: State, work: UnitOfWork, portion: int) -> Iterator[Record]:
    """Yield what the page may be of, read in portions: a store over a network sends no more than is likely needed.

    Portions may be of different states of the store, as pages are: what is there from start to end is in one of them.
    """
    request, kind = state.request, state.operation.kind.name
    key = (request.org,) if request.org else None
    after = position_of(request.page.page_token)
    read = portion
    while read == portion:
        read = 0
        for record in work.scan(kind, "org" if key else None, key, after=after, limit=portion):
            read, after = read + 1, record.position
            yield record


def judged(state: State, work: UnitOfWork, records: Iterator[Record]) -> Iterator[tuple[Record, bool]]:
    """Say of resources of the operation's kind whether the caller may view them."""
    caller, authorizer, policies = state.actor, state.context.authorizer, StoredPolicies(work)
    while together := list(islice(records, _TOGETHER if authorizer.waits else 1)):
        if caller is SYSTEM:
            allowed = [True] * len(together)
        else:
            resources = [Ref(state.operation.kind.name, record.id) for record in together]
            allowed = authorizer.allowed_among(caller.ref, "can_view", resources, policies)
        yield from zip(together, allowed, strict=True)


def _public(state: State, record: Record) -> Message:
    message: Message = message_of(state, record)
    if state.context.profile is Profile.CLOUD:
        message = redacted(state.operation.kind, message)
    return message
