"""The watch: reads the outbox by position and sends what the caller may see, as fast as the caller reads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from protos.kinds import KINDS, ResourceKind
from protos.parity.v1.event_pb2 import CloudEvent, WatchRequest, WatchResponse
from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.model import Caller, Ref
from reference_server.authorization.policies import StoredPolicies
from reference_server.errors import OutOfRange
from reference_server.events.cursors import CLEARED, read_cursor
from reference_server.events.outbox import KIND
from reference_server.execution.write_queue import WriteQueue
from reference_server.unit_of_work import UnitOfWork, stored_message
from stores.contract import Record, Store

RESPONSE_BYTES_MAX = 4 * 1024 * 1024
"""What gRPC clients take unless they are told otherwise (`grpc.max_receive_message_length`)."""
LOOK_SECONDS = 1.0
"""So often the outbox of a store that others write is read, whether or not somebody told that there is something."""
_CHUNK = 256
"""Events read at once: what one watcher can hold in memory is bounded by this, however far behind it is."""
_TOGETHER = 64
"""Events that are decided together, where a decision waits for somebody else."""
_DECIDED_SECONDS_MAX = 0.5
"""A decision is so old at most when its event is sent: whoever reads slowly isn't sent what was revoked meanwhile."""


def fitted(response: WatchResponse, request: WatchRequest) -> WatchResponse:
    """Return a response as long as its watcher takes it: the data is left out, and its size told, where it must be."""
    if request.without_data or response.ByteSize() > (request.response_bytes_max or RESPONSE_BYTES_MAX):
        response.data_bytes_left_out = len(response.event.data.value)
        response.event.ClearField("data")
    return response


class Watcher:
    """One watch over the outbox of a store."""

    def __init__(self, store: Store, queue: WriteQueue, authorizer: Authorizer, caller: Caller) -> None:
        self._store = store
        self._reading = queue.reading
        self._committer = queue.committer
        self._look_seconds = LOOK_SECONDS if store.capabilities.shared_writers else None
        self._authorizer = authorizer
        self._caller = caller

    async def responses(self, request: WatchRequest, stopping: Callable[[], bool]) -> AsyncIterator[WatchResponse]:
        """Yield a bookmark, then the events after it, until `stopping()` (asked whenever something wakes it)."""
        position, cleared = await self._reading(lambda: self._beginning(request))
        if 0 < position < cleared and not request.from_now:
            raise OutOfRange(
                f"events up to position {cleared} are cleared; list the resources anew, then watch from_now"
            )
        yield WatchResponse(position=position)
        while not stopping():
            seen = self._committer.version
            after = position
            chunk = await self._reading(lambda after=after: list(self._store.scan(KIND, after=after, limit=_CHUNK)))  # type: ignore[misc] # binds the loop's value
            async for record, event, is_visible in self._judged(chunk, request.subject):
                position = record.position
                if is_visible:
                    yield fitted(WatchResponse(position=position, event=event), request)
            if len(chunk) < _CHUNK:
                # Whoever takes the events lets others commit meanwhile; those commits count against `seen`.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_seconds):
                        await self._committer.wait_beyond(seen)

    def _beginning(self, request: WatchRequest) -> tuple[int, int]:
        """Return the position to begin after, and the one up to which events are gone."""
        position = self._store.last_position() if request.from_now else request.after_position
        return position, read_cursor(self._store, CLEARED)

    async def _judged(self, chunk: list[Record], subject: str) -> AsyncIterator[tuple[Record, CloudEvent, bool]]:
        """Yield the events of records, each with whether it is to be sent; many share one wait for decisions."""
        size, done = _TOGETHER if self._authorizer.waits else 1, 0
        while done < len(chunk):
            piece = chunk[done : done + size]
            events: list[CloudEvent] = [stored_message(KIND, each.id, each.data) for each in piece]
            wanted = [each for each in events if subject in {"", each.subject}]
            visible = await self._reading(lambda wanted=wanted: self._visible(wanted)) if wanted else []  # type: ignore[misc] # binds the loop's value
            decided = time.monotonic()
            ids = {event.id for event, is_visible in zip(wanted, visible, strict=True) if is_visible}
            for record, event in zip(piece, events, strict=True):
                yield record, event, event.id in ids
                done += 1
                if time.monotonic() - decided > _DECIDED_SECONDS_MAX:
                    break

    def _visible(self, events: list[CloudEvent]) -> list[bool]:
        """Say of events whether the caller may view their resource, or could before it was deleted."""
        policies = StoredPolicies(UnitOfWork(self._store))
        kinds = [_kind_of(event) for event in events]
        resources = [Ref(kind.name, event.subject) for kind, event in zip(kinds, events, strict=True)]
        allowed = self._authorizer.allowed_among(self._caller.ref, "can_view", resources, policies)
        orgs: dict[str, bool] = {}
        for number, (kind, event) in enumerate(zip(kinds, events, strict=True)):
            if not allowed[number] and self._store.get_bytes(kind.name, event.subject) is None:
                allowed[number] = self._could_see(kind, event, orgs, policies)
        return allowed

    def _could_see(
        self, kind: ResourceKind, event: CloudEvent, orgs: dict[str, bool], policies: StoredPolicies
    ) -> bool:
        """Say of a resource that is gone whether its organization may be viewed, or else whether the caller made it.

        `orgs` were asked for already.
        """
        resource: Agent = kind.message_type.FromString(event.data.value)  # type: ignore[assignment] # same metadata
        metadata = resource.metadata
        if metadata.owner_scope != organization:
            made_by: str = resource.status.audit.spec_audit.created_by.id
            return made_by == self._caller.id
        if metadata.org not in orgs:
            asked = Ref("organization", metadata.org)
            orgs[metadata.org] = self._authorizer.allows(self._caller.ref, "can_view", asked, policies)
        return orgs[metadata.org]


def _kind_of(event: CloudEvent) -> ResourceKind:
    return next(
        kind for kind in KINDS.values() if event.data.type_url.endswith("/" + kind.message_type.DESCRIPTOR.full_name)
    )
