"""Events: what was done to resources, read from a server's event channel; where it has none, by looking again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import grpc

from protos.conditions import change_mark
from protos.parity.v1.event_pb2 import DESCRIPTOR, CloudEvent, WatchRequest
from reference_server.client.failures import Refused
from reference_server.client.kinds import KINDS, Kind
from reference_server.client.server import Server, Stream

_WATCH = DESCRIPTOR.services_by_name["EventService"].methods_by_name["Watch"]
QUIET_SECONDS = 1.0
"""A server sends what it has at once; after so long without anything there is no more for now."""
POLL_SECONDS = 1.0
"""So often a server without events is asked again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its position in the channel, when, what was done (`created`), and to which resource."""

    position: int
    time: Any
    done: str
    subject: str
    kind: Kind | None
    resource: Any
    """As it was after the event; None for a kind that this client doesn't know."""


def event_of(position: int, told: CloudEvent) -> Event:
    """Read an event of the channel."""
    kind = next((row for row in KINDS if told.data.TypeName() == row.message_type.DESCRIPTOR.full_name), None)
    resource = None
    if kind is not None:
        resource = kind.message_type.FromString(told.data.value)
    return Event(position, told.time, told.type.rpartition(".")[2], told.subject, kind, resource)


class Watch:
    """A watch over a server's events. Use as a context manager."""

    def __init__(self, server: Server, *, after: int | None = None, subject: str = "") -> None:
        """Begin after a position (None: from now on). Raises what `Server.call` raises.

        When this returns, the server is listening: nothing that happens from now on is missed.
        """
        request = WatchRequest(after_position=after or 0, from_now=after is None, subject=subject)
        self._stream: Stream = server.stream(_WATCH, request)
        self.begin = self._begin(server.timeout_s)

    def _begin(self, seconds: float) -> int:
        bookmark = None
        try:
            bookmark = self._stream.next(seconds)
        finally:
            if bookmark is None:
                self._stream.close()
        if bookmark is None:
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, "the watch wasn't confirmed in time", ())
        return int(bookmark.position)

    def next(self, seconds: float | None) -> Event | None:
        """Return the next event, or None when none has come within `seconds` (None: wait)."""
        answer = self._stream.next(seconds)
        return None if answer is None else event_of(answer.position, answer.event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def so_far(
    server: Server, *, after: int = 0, subject: str = "", until: Callable[[Event], bool] | None = None
) -> Iterator[Event]:
    """Yield the events after a position up to now. `until` knows the last one, if anything does."""
    with Watch(server) as now:
        end = now.begin
    with Watch(server, after=after, subject=subject) as watch:
        position = after
        while position < end:
            event = watch.next(QUIET_SECONDS)
            if event is None:
                return
            position = event.position
            yield event
            if until is not None and until(event):
                return


def events_about(server: Server, resource: Any) -> list[Event]:  # noqa: ANN401 - a resource of any kind
    """Return all events about a resource that the server still has."""
    mark = change_mark(resource.status.audit)

    def is_last(event: Event) -> bool:
        return event.resource is not None and change_mark(event.resource.status.audit) == mark

    return list(so_far(server, subject=resource.metadata.id, until=is_last))


@dataclass(frozen=True, slots=True)
class Change:
    """What a watcher of resources sees: what was done, and the resource after it."""

    done: str
    resource: Any


def changes_by_looking(look: Callable[[], Iterable[Any]], seen: Iterable[Any]) -> Iterator[Change]:
    """Yield what differs from one look to the next, for ever; `seen` is the first look."""
    before = {resource.metadata.id: resource for resource in seen}
    while True:
        time.sleep(POLL_SECONDS)
        now = {resource.metadata.id: resource for resource in look()}
        for resource_id, resource in now.items():
            if resource_id not in before:
                yield Change("created", resource)
            elif resource != before[resource_id]:
                yield Change("updated", resource)
        yield from (Change("deleted", old) for resource_id, old in before.items() if resource_id not in now)
        before = now
