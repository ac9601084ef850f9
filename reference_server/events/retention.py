"""Clearing old events, so that the outbox doesn't grow without end."""

from __future__ import annotations

from reference_server.events.cursors import CLEARED, cursor_at
from reference_server.events.outbox import KIND
from stores.contract import Delete, Store

_AT_ONCE = 500


def clear_old_events(store: Store, keep: int, not_after: int) -> int:
    """Remove the oldest events beyond the newest `keep`, but none after position `not_after` (undelivered ones).

    Removes at most 500 and returns how many; what is left is for the next call.
    """
    excess = min(store.count(KIND) - keep, _AT_ONCE)
    if excess <= 0:
        return 0
    old = [record for record in store.scan(KIND, limit=excess) if record.position <= not_after]
    if old:
        store.commit([*(Delete(KIND, record.id) for record in old), cursor_at(CLEARED, old[-1].position)])
    return len(old)
