"""OpenFGA follows the store: tuples are written and removed in the order of the commits, at least once.

Policies are never changed, only made and removed, so the policies themselves are the outbox of what is granted, by
their positions; what is removed is in the revocations. A new OpenFGA store begins at the beginning, which is how it
gets what an older database holds. The cursor is stored after the delivery: a crash between the two delivers
the same again, and writing what is there, or removing what is gone, changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import NamedTuple

from reference_server.authorization.model import RelationTuple
from reference_server.authorization.openfga.client import WRITE_TUPLES_MAX, OpenFgaClient
from reference_server.authorization.openfga.rendering import Types
from reference_server.authorization.openfga.revocations import KIND as REVOCATION
from reference_server.authorization.openfga.tuples import TupleKey, tuples_of
from reference_server.authorization.policies import KIND as POLICY
from reference_server.authorization.policies import tuple_key, tuple_of
from reference_server.events.cursors import cursor_at, read_cursor
from reference_server.execution.write_queue import WriteQueue
from reference_server.unit_of_work import stored_message
from stores.contract import Delete, Record, Store

_CHUNK = WRITE_TUPLES_MAX // 2
"""Changes in one write: the grant to a set takes two tuples."""


class Change(NamedTuple):
    """Whether a policy is to be there in OpenFGA."""

    position: int
    there: bool
    policy: RelationTuple
    revocation: str = ""
    """The id of the revocation, where it is one."""


class Progress:
    """How far OpenFGA has followed, as this process knows it; another may have delivered more."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self.position = 0

    def has_reached(self, store: Store, target: int) -> bool:
        """Say whether all up to a position of the store has been delivered. Raises StoreError."""
        position = max(self.position, read_cursor(store, self.cursor))
        return position >= target or all(each.position > target for each in _first_of_each(store, position))


def _first_of_each(store: Store, after: int) -> Iterator[Record]:
    for kind in (POLICY, REVOCATION):
        yield from store.scan(kind, after=after, limit=1)


class TupleRelay:
    """Moves what was granted and revoked beyond the cursor to OpenFGA."""

    def __init__(
        self, store: Store, queue: WriteQueue, client: OpenFgaClient, types: Types, progress: Progress
    ) -> None:
        """Find out how far it has got. Raises StoreError."""
        self._store = store
        self._queue = queue
        self._client = client
        self._types = types
        self._progress = progress
        self._position = 0
        self.resume()

    def resume(self) -> None:
        """Go on where it has got, whoever delivered until now. Raises StoreError."""
        self._position = read_cursor(self._store, self._progress.cursor)

    async def advance(self, model: str) -> int:
        """Deliver the next changes, at most 50, and store the cursor; return how many.

        Raises OpenFgaError, StoreError.
        """
        changes = await asyncio.to_thread(self._next)
        if changes:
            added, removed = self._wanted(changes)
            await self._client.write(added, removed, model)
            position = self._progress.position = changes[-1].position
            done = [Delete(REVOCATION, each.revocation) for each in changes if each.revocation]
            await self._queue.commit([*done, cursor_at(self._progress.cursor, position)])
            self._position = position
        return len(changes)

    def _wanted(self, changes: list[Change]) -> tuple[list[TupleKey], list[TupleKey]]:
        """Return the tuples to add and to remove: of changes of one tuple the last one counts."""
        wanted: dict[TupleKey, bool] = {}
        for each in changes:
            own, *bridge = tuples_of(self._types, each.policy)
            wanted[own] = each.there
            if each.there:
                wanted |= dict.fromkeys(bridge, True)
        return [key for key, there in wanted.items() if there], [key for key, there in wanted.items() if not there]

    def _next(self) -> list[Change]:
        """Read the next changes. What is committed between the two scans must not be passed over.

        A position is seen together with all before it; so the scan that comes second is complete up to the last
        position of the first one, and is cut there.
        """
        granted, revoked = self._scan(POLICY), self._scan(REVOCATION)
        if granted:
            revoked = [each for each in revoked if each.position <= granted[-1].position]
        elif revoked:
            granted = [each for each in self._scan(POLICY) if each.position <= revoked[-1].position]
        in_order = merge(map(_grant, granted), map(self._revocation, revoked))
        return list(islice(in_order, _CHUNK))

    def _revocation(self, record: Record) -> Change:
        """What was granted anew meanwhile, by another policy, stays."""
        policy = tuple_of(stored_message(REVOCATION, record.id, record.data).policy)
        there = self._store.find(POLICY, "tuple", tuple_key(policy)) is not None
        return Change(record.position, there, policy, record.id)

    def _scan(self, kind: str) -> list[Record]:
        return list(self._store.scan(kind, after=self._position, limit=_CHUNK))


def _grant(record: Record) -> Change:
    policy = stored_message(POLICY, record.id, record.data)
    return Change(record.position, there=True, policy=tuple_of(policy.spec))
