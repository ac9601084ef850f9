"""Clearing old events, so that the outbox doesn't grow without end."""

from __future__ import annotations

import asyncio

from reference_server.events.cursors import CLEARED, cursor_at
from reference_server.events.outbox import KIND
from reference_server.execution.write_queue import WriteQueue
from stores.contract import Delete, Record, Store

_AT_ONCE = 100
"""Planning their removal keeps the event loop for 2 ms or so."""


async def clear_old_events(store: Store, queue: WriteQueue, keep: int, not_after: int) -> int:
    """Remove the oldest events beyond the newest `keep`, but none after position `not_after` (undelivered ones).

    Removes at most 100 and returns how many; what is left is for the next call. Raises StoreError.
    """
    old = await asyncio.to_thread(_oldest, store, keep, not_after)
    if old:
        await queue.commit([*(Delete(KIND, record.id) for record in old), cursor_at(CLEARED, old[-1].position)])
    return len(old)


def _oldest(store: Store, keep: int, not_after: int) -> list[Record]:
    excess = min(store.count(KIND) - keep, _AT_ONCE)
    return [each for each in store.scan(KIND, limit=max(excess, 0)) if each.position <= not_after]
