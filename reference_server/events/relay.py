"""The relay: takes events from the outbox to a sink, in order, at least once.

The cursor is stored after the delivery: a crash between the two delivers the same events again, never none.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.events.cursors import cursor_at, read_cursor
from reference_server.events.outbox import KIND
from reference_server.execution.write_queue import WriteQueue
from reference_server.unit_of_work import stored_message
from stores.contract import Store

_CHUNK = 256
_CHUNK_BYTES = 8 * 1024 * 1024
"""A chunk ends with the event that goes beyond this: what is undelivered never fills the memory."""


class Delivery(NamedTuple):
    """One event to deliver, and its position in the outbox."""

    position: int
    event: CloudEvent


class Sink(Protocol):
    """Where events go."""

    @property
    def name(self) -> str:
        """The name of the sink's cursor; another name begins anew."""
        ...

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Hand over events, in order. Raises OSError when they couldn't be; they come again."""
        ...

    async def close(self) -> None:
        """Let go of what is held open."""
        ...


class FileSink:
    """Appends one line of JSON per event (CloudEvents 1.0 JSON format, the data as base64) to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """One cursor per file."""
        return f"file:{self._path.absolute()}"

    async def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Append and flush, in a thread."""
        await asyncio.to_thread(self._append, deliveries)

    async def close(self) -> None:
        """Nothing is held open."""

    def _append(self, deliveries: Sequence[Delivery]) -> None:
        with self._path.open("ab") as file:
            file.writelines(orjson.dumps(json_form(each.event)) + b"\n" for each in deliveries)


def json_form(event: CloudEvent) -> dict[str, str]:
    """Return an event in the JSON format of CloudEvents 1.0."""
    return {
        "specversion": event.spec_version,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.ToJsonString(),
        "datacontenttype": event.data_content_type,
        "dataschema": event.data.type_url,
        "data_base64": base64.b64encode(event.data.value).decode(),
    }


class Relay:
    """Moves what the outbox holds beyond a sink's cursor to the sink."""

    def __init__(self, store: Store, queue: WriteQueue, sink: Sink) -> None:
        self._store = store
        self._queue = queue
        self._sink = sink
        self.position = read_cursor(store, sink.name)

    def resume(self) -> None:
        """Go on where the sink has got, whoever delivered until now. Raises StoreError."""
        self.position = read_cursor(self._store, self._sink.name)

    async def advance(self) -> int:
        """Deliver the next events, at most 256, and store the cursor; return how many. Raises OSError, StoreError."""
        deliveries = await asyncio.to_thread(self._next)
        if deliveries:
            await self._sink.deliver(deliveries)
            self.position = deliveries[-1].position
            await self._queue.commit([cursor_at(self._sink.name, self.position)])
        return len(deliveries)

    async def close(self) -> None:
        """Let the sink go; what it hasn't got comes after the next start."""
        await self._sink.close()

    def _next(self) -> list[Delivery]:
        deliveries, size = list[Delivery](), 0
        for record in self._store.scan(KIND, after=self.position, limit=_CHUNK):
            deliveries.append(Delivery(record.position, stored_message(KIND, record.id, record.data)))
            size += len(record.data)
            if size > _CHUNK_BYTES:
                break
        return deliveries
