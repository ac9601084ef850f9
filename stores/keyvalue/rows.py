"""From a plan's changes to the rows that a key-value engine writes for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stores.contract import CorruptRecord, Keys
from stores.keyvalue import layout
from stores.keyvalue.engine import EngineCorrupt
from stores.planning import Change

RowChanges = list[tuple[bytes, bytes | None]]
_ORDER_HINT = "restore the database from a backup; what else was created at that time can't be deleted either"


@dataclass(slots=True)
class Recount:
    """What changes under one key: positions (packed) that go, positions and ids that come."""

    row: bytes
    """What the keys of its index rows begin with."""
    lost: list[bytes] = field(default_factory=list)
    gained: list[tuple[bytes, bytes]] = field(default_factory=list)


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
        self._recounts: dict[bytes, Recount] = {}
        self._orders: dict[bytes, dict[int, bytes]] = {}
        """Order rows that change, by key: what they will hold, position by position."""

    def add(self, change: Change) -> None:
        """Enter one resource's change."""
        before, after = change.before, change.after
        keys = self._layouts[change.kind.name]
        id_ = change.id.encode()
        if before and not change.stays:
            self._counts[change.kind.name] -= 1
            self._order(change, before.position).pop(before.position, None)
            self._removals.append((keys.record(change.id), None))
        lost, gained = change.index_changes()
        if before and lost:
            self._unindex(keys, layout.pack_position(before.position), lost)
        if after:
            position = layout.pack_position(after.position)
            if not change.stays:
                self._counts[change.kind.name] = self._counts.get(change.kind.name, 0) + 1
                self._order(change, after.position)[after.position] = id_
            self._index(keys, position, id_, gained)
            record = layout.pack_record(
                after.position, after.revision, layout.pack_keys(after.keys), change.stored, checksum=self._checksum
            )
            self._additions.append((keys.record(change.id), record))

    def finish(self, state: layout.State) -> RowChanges:
        """Return all changes, with the counters and the state row. Raises EngineCorrupt for a counter."""
        for counter, change in self._recounts.items():
            self._recount(counter, change)
        for row, ids in self._orders.items():
            entries = b"".join(layout.pack_ordered(*entry) for entry in sorted(ids.items()))
            self._additions.append((row, entries or None))
        return [*self._removals, *self._additions, (layout.STATE_KEY, layout.pack_state(state))]

    def _order(self, change: Change, position: int) -> dict[int, bytes]:
        """Return what the order row of a position will hold, to be changed. Raises CorruptRecord."""
        row = self._layouts[change.kind.name].order(position)
        held = self._orders.get(row)
        if held is None:
            try:
                held = self._orders[row] = dict(layout.unpack_ordered(row, self._get(row) or b""))
            except (EngineCorrupt, layout.Damaged) as damage:
                raise CorruptRecord(change.kind.name, change.id, str(damage), _ORDER_HINT) from damage
        return held

    def _index(self, keys: layout.KindLayout, position: bytes, id_: bytes, gained: Keys) -> None:
        for index, key in gained:
            unique, prefix, counter, _ = keys.indexes[index]
            packed = layout.pack_key(key)
            row = prefix + packed
            if unique:
                self._additions.append((row, layout.pack_unique(position, id_)))
            else:
                self._recounts.setdefault(counter + packed, Recount(row)).gained.append((position, id_))

    def _unindex(self, keys: layout.KindLayout, position: bytes, lost: Keys) -> None:
        for index, key in lost:
            unique, prefix, counter, _ = keys.indexes[index]
            packed = layout.pack_key(key)
            row = prefix + packed
            if unique:
                self._removals.append((row, None))
            else:
                self._recounts.setdefault(counter + packed, Recount(row)).lost.append(position)

    def _recount(self, counter: bytes, change: Recount) -> None:
        """Enter a counter and its index rows. The only entry of a key stands in the counter, without a row."""
        before, entries = self._get(counter), change.gained
        try:
            count = layout.unpack_count(before) - len(change.lost) + len(change.gained)
        except layout.Damaged as damage:
            raise EngineCorrupt(str(damage)) from damage
        single = layout.single_of(before)
        if single is None:
            self._removals += ((change.row + position, None) for position in change.lost)
        elif single[0] not in change.lost:
            entries = [single, *change.gained]
        if count == 1 and entries:
            self._additions.append((counter, layout.pack_single(*entries[0])))
            return
        self._additions += ((change.row + position, id_) for position, id_ in entries)
        self._additions.append((counter, layout.pack_count(count) if count else None))
