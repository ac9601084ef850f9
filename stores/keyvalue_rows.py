"""From a plan's changes to the rows that a key-value engine writes for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stores import layout
from stores.planning import Change, Keys

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
        id_ = change.id.encode()
        if before and not change.stays:
            self._counts[change.kind.name] -= 1
            self._removals += (
                (keys.order(layout.pack_position(before.position)), None),
                (keys.record(change.id), None),
            )
        lost, gained = change.index_changes()
        if before and lost:
            self._unindex(keys, layout.pack_position(before.position), lost)
        if after:
            position = layout.pack_position(after.position)
            if not change.stays:
                self._counts[change.kind.name] = self._counts.get(change.kind.name, 0) + 1
                self._additions.append((keys.order(position), id_))
            self._index(keys, position, id_, gained)
            record = layout.pack_record(
                after.position, after.revision, layout.pack_keys(after.keys), change.stored, checksum=self._checksum
            )
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

    def _index(self, keys: layout.KindLayout, position: bytes, id_: bytes, gained: Keys) -> None:
        for index, key in gained:
            unique, prefix, counter, _ = keys.indexes[index]
            packed = layout.pack_key(key)
            if unique:
                self._additions.append((prefix + packed, layout.pack_unique(position, id_)))
                continue
            self._additions.append((prefix + packed + position, id_))
            if counter is not None:
                self._count(counter + packed, 1)

    def _unindex(self, keys: layout.KindLayout, position: bytes, lost: Keys) -> None:
        for index, key in lost:
            unique, prefix, counter, _ = keys.indexes[index]
            packed = layout.pack_key(key)
            self._removals.append((prefix + packed if unique else prefix + packed + position, None))
            if counter is not None:
                self._count(counter + packed, -1)

    def _count(self, counter: bytes, delta: int) -> None:
        self._counters[counter] = self._counters.get(counter, 0) + delta
