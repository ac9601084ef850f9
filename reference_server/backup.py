"""Backups of a store that is served: taken while the write queue stands still for a moment, read while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

from reference_server.errors import FailedPrecondition, OutOfRange, ResourceExhausted
from reference_server.events.cursors import CLEARED, read_cursor
from reference_server.execution.executor import Executor
from reference_server.profile import Profile
from stores.backup.frames import written
from stores.backup.snapshot import Changed, Snapshot, take_increment, take_snapshot

PIECE_BYTES = 128 * 1024
"""Any gRPC client takes a message of this size, and can hold some hundred of them."""


class Backups:
    """Makes backups of one server's store, one at a time."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._is_busy = False

    async def pieces(self, since: int) -> AsyncGenerator[bytes]:
        """Yield a backup file in pieces of at most `PIECE_BYTES`.

        Raises FailedPrecondition for a store that others write too, ResourceExhausted while another backup is made,
        OutOfRange for an increment that can't be made, StoreError.
        """
        if self._executor.store.capabilities.shared_writers:
            raise FailedPrecondition("other servers write this store meanwhile; back its database up with pg_dump")
        if self._is_busy:
            raise ResourceExhausted("another backup is being made; try again when it has ended")
        self._is_busy = True
        try:
            snapshot = await self._taken(since)
            frames = written(snapshot.header, snapshot.blocks())
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                for piece in _pieces(frame):
                    yield piece
        finally:
            self._is_busy = False

    async def _taken(self, since: int) -> Snapshot:
        store, committer, now = self._executor.store, self._executor.queue.committer, self._executor.context.clock.now()
        if not since:
            async with committer.quiet():
                return take_snapshot(store, now)
        self._check(since)
        changed = Changed(since)
        await asyncio.to_thread(changed.read, store)  # nearly all of them, while others write
        async with committer.quiet():
            self._check(since)  # they may have been cleared meanwhile
            return await asyncio.to_thread(take_increment, store, now, since, changed)

    def _check(self, since: int) -> None:
        if self._executor.context.profile is Profile.OSS:
            raise FailedPrecondition("the oss profile keeps no events, so changes aren't known; take a whole backup")
        store = self._executor.store
        cleared, last = read_cursor(store, CLEARED), store.last_position()
        if since < cleared:
            raise OutOfRange(f"events up to position {cleared} are cleared; take a whole backup, or keep more events")
        if since > last:
            raise OutOfRange(f"position {since} is beyond the last one, {last}; take a whole backup")


def _pieces(frame: bytes) -> Iterator[bytes]:
    for at in range(0, len(frame), PIECE_BYTES):
        yield frame[at : at + PIECE_BYTES]
