"""From a plan's changes to the rows that a key-value engine writes for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stores import layout
from stores.contract import IndexKey
from stores.planning import Change, Held

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
        if before and after and before.position == after.position:
            if before.keys != after.keys:
                kept = set(before.keys) & set(after.keys)
                self._unindex(change, before, kept)
                self._index(change, after, kept)
            self._record(change, after)
            return
        if before:
            self._remove(change, before)
        if after:
            self._create(change, after)

    def finish(self, state: layout.State) -> RowChanges:
        """Return all changes, with the counters and the state row."""
        rows = self._removals + self._additions
        for key, delta in self._counters.items():
            if delta:
                count = layout.unpack_count(self._get(key)) + delta
                rows.append((key, layout.pack_count(count) if count else None))
        rows.append((layout.STATE_KEY, layout.pack_state(state)))
        return rows

    def _create(self, change: Change, after: Held) -> None:
        kind = change.kind.name
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._additions.append((self._layouts[kind].order(after.position), change.id.encode()))
        self._index(change, after, frozenset())
        self._record(change, after)

    def _remove(self, change: Change, before: Held) -> None:
        kind = change.kind.name
        self._counts[kind] -= 1
        keys = self._layouts[kind]
        self._removals.append((keys.order(before.position), None))
        self._removals.append((keys.record(change.id), None))
        self._unindex(change, before, frozenset())

    def _record(self, change: Change, after: Held) -> None:
        key = self._layouts[change.kind.name].record(change.id)
        self._additions.append((key, layout.pack_record(after, change.stored, checksum=self._checksum)))

    def _index(self, change: Change, after: Held, kept: set[tuple[str, IndexKey]] | frozenset[object]) -> None:
        keys = self._layouts[change.kind.name]
        for entry in after.keys:
            if entry in kept:
                continue
            index, key = entry
            if index in change.kind.unique:
                self._additions.append((keys.unique(index, key), layout.pack_unique(after.position, change.id)))
            else:
                row = keys.index_row(index, key, after.position)
                self._additions.append((row, change.id.encode()))
                self._count(keys.counter(index, key), 1)

    def _unindex(self, change: Change, before: Held, kept: set[tuple[str, IndexKey]] | frozenset[object]) -> None:
        keys = self._layouts[change.kind.name]
        for entry in before.keys:
            if entry in kept:
                continue
            index, key = entry
            if index in change.kind.unique:
                self._removals.append((keys.unique(index, key), None))
            else:
                self._removals.append((keys.index_row(index, key, before.position), None))
                self._count(keys.counter(index, key), -1)

    def _count(self, counter: bytes, delta: int) -> None:
        self._counters[counter] = self._counters.get(counter, 0) + delta
