"""From a plan's changes to the rows that a key-value engine writes for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stores import layout
from stores.indexing import Kind
from stores.planning import Change, Held, Keys

RowChanges = list[tuple[bytes, bytes | None]]


class Rows:
    """Collects the row changes of one write. `counts`, resources per kind, is kept up to date on the way.

    Removals come before additions, as a unique key can pass from one resource to another in one write.
    """

    def __init__(
        self,
        get: Callable[[bytes], bytes | None],
        layouts: Mapping[str, layout.KindLayout],
        counts: dict[str, int],
        *,
        checksum: bool,
    ) -> None:
        self._get = get
        self._layouts = layouts
        self._counts = counts
        self._checksum = checksum
        self._removals: RowChanges = []
        self._additions: RowChanges = []
        self._counters: dict[bytes, int] = {}

    def add(self, change: Change) -> None:
        """Enter one resource's change."""
        before, after = change.before, change.after
        keys = self._layouts[change.kind.name]
        if not change.stays:
            if before:
                self._remove(change, keys, before)
            if after:
                self._create(change, keys, after)
        lost, gained = change.index_changes()
        if before and lost:
            self._unindex(change.kind, keys, before.position, lost)
        if after:
            if gained:
                self._index(change, keys, after.position, gained)
            record = layout.pack_record(after, change.stored, checksum=self._checksum)
            self._additions.append((keys.record(change.id), record))

    def finish(self, state: layout.State) -> RowChanges:
        """Return all changes, with the counters and the state row."""
        rows = self._removals + self._additions
        for key, delta in self._counters.items():
            if delta:
                count = layout.unpack_count(self._get(key)) + delta
                rows.append((key, layout.pack_count(count) if count else None))
        rows.append((layout.STATE_KEY, layout.pack_state(state)))
        return rows

    def _create(self, change: Change, keys: layout.KindLayout, after: Held) -> None:
        kind = change.kind.name
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._additions.append((keys.order(after.position), change.id.encode()))

    def _remove(self, change: Change, keys: layout.KindLayout, before: Held) -> None:
        self._counts[change.kind.name] -= 1
        self._removals.append((keys.order(before.position), None))
        self._removals.append((keys.record(change.id), None))

    def _index(self, change: Change, keys: layout.KindLayout, position: int, gained: Keys) -> None:
        for index, key in gained:
            packed = layout.pack_key(key)
            if index in change.kind.unique:
                self._additions.append((keys.unique(index, packed), layout.pack_unique(position, change.id)))
            else:
                self._additions.append((keys.index_row(index, packed, position), change.id.encode()))
                if index in change.kind.counted:
                    self._count(keys.counter(index, packed), 1)

    def _unindex(self, kind: Kind, keys: layout.KindLayout, position: int, lost: Keys) -> None:
        for index, key in lost:
            packed = layout.pack_key(key)
            if index in kind.unique:
                self._removals.append((keys.unique(index, packed), None))
            else:
                self._removals.append((keys.index_row(index, packed, position), None))
                if index in kind.counted:
                    self._count(keys.counter(index, packed), -1)

    def _count(self, counter: bytes, delta: int) -> None:
        self._counters[counter] = self._counters.get(counter, 0) + delta
