"""Creations in SQLite: nearly all collide with nothing, so they are written without reading first whether they do.

The tables' unique keys refuse an id or index key that is taken; then all is rolled back and planned again with what the
store really holds, which says who is in the way of whom.
"""

from __future__ import annotations

from stores.contract import Batch, IndexKey, Put, Vacant
from stores.planning import Holdings
from stores.rules import Held


class Taken(Exception):
    """Something stands in the way of a creation; what, the general way finds out."""


class Untaken:
    """What a store holds, but for what a new resource could collide with: SQLite itself refuses that when written."""

    def __init__(self, store: Holdings) -> None:
        self.entries = store.entries

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002
        """See `Holdings`."""

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Holdings`."""


def only_creates(batch: Batch) -> bool:
    """Say whether a batch needs nothing to be there: resources that must be absent, keys that must be vacant."""
    return bool(batch) and all(
        (isinstance(each, Put) and each.precondition == "absent" and each.expect is None) or isinstance(each, Vacant)
        for each in batch
    )
