"""Optimistic insert: creations are written without reading first whether they conflict; nearly none does.

The tables' unique keys refuse an id or index key that is taken. Then all is rolled back and planned again with what the
store holds, which names the conflict.
"""

from __future__ import annotations

from stores.contract import Batch, IndexKey, Put, Vacant
from stores.planning import Holdings
from stores.rules import Held


class Conflicts(Exception):
    """A creation conflicts with what is stored; planning without optimism names the conflict."""


class AssumedAbsent:
    """Holdings in which whatever a new resource could conflict with is absent: SQLite refuses it when it is written."""

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
