"""Cursors: how far a sink, or the clearing of old events, has got. Kept in the store, so that a restart resumes."""

from __future__ import annotations

from protos.parity.v1.event_pb2 import Cursor
from reference_server.unit_of_work import stored_message
from stores.contract import Put, Store

KIND = "cursor"
CLEARED = "cleared"
"""The name of the cursor that says up to which position events are gone."""


def read_cursor(store: Store, name: str) -> int:
    """Return the position of a cursor, 0 if it was never written. Raises StoreError."""
    data = store.get_bytes(KIND, name)
    return int(stored_message(KIND, name, data).position) if data is not None else 0


def cursor_at(name: str, position: int) -> Put:
    """Return the operation that writes a cursor."""
    return Put(KIND, name, Cursor(name=name, position=position))
