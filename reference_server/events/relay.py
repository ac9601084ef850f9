"""The relay: takes events from the outbox to a sink, in order, at least once.

The cursor is stored after the delivery: a crash between the two delivers the same events again, never none.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import orjson

from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.events.cursors import cursor_at, read_cursor
from reference_server.events.outbox import KIND
from reference_server.execution.write_queue import WriteQueue
from reference_server.unit_of_work import stored_message
from stores.contract import Record, Store

_CHUNK = 256


class Sink(Protocol):
    """Where events go."""

    @property
    def name(self) -> str:
        """The name of the sink's cursor; another name begins anew."""
        ...

    def deliver(self, events: Sequence[CloudEvent]) -> None:
        """Hand over events, in order. Raises OSError when they couldn't be; they come again."""
        ...


class FileSink:
    """Appends one line of JSON per event (CloudEvents 1.0 JSON format, the data as base64) to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """One cursor per file."""
        return f"file:{self._path.absolute()}"

    def deliver(self, events: Sequence[CloudEvent]) -> None:
        """Append and flush."""
        with self._path.open("ab") as file:
            file.writelines(orjson.dumps(json_form(event)) + b"\n" for event in events)


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
        records = await asyncio.to_thread(self._deliver)
        if records:
            self.position = records[-1].position
            await self._queue.commit([cursor_at(self._sink.name, self.position)])
        return len(records)

    def _deliver(self) -> list[Record]:
        """Hand the next events to the sink, which may take its time."""
        records = list(self._store.scan(KIND, after=self.position, limit=_CHUNK))
        if records:
            self._sink.deliver([stored_message(KIND, record.id, record.data) for record in records])
        return records
