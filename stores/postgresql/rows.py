"""From a plan's changes to the columns of the one call that writes them (`write_batches` in `tables.sql`)."""

from __future__ import annotations

from stores.contract import Keys
from stores.format import checksum_of
from stores.planning import Change, Plan
from stores.postgresql.arrays import Blobs, Longs, Texts
from stores.postgresql.names import key_bytes, key_list_bytes, long_id_of, name_of
from stores.rules import Held

NEW = 1 << 62
"""A plan begins to count here, as the last numbers given out are known only when it is written."""

_TEXTS = ("lost_kind", "lost_index", "new_kind", "unique_kind", "unique_index", "entry_kind", "entry_index")
_BLOBS = ("lost_key", "changed_keys", "changed_data", "new_name", "new_long_id", "new_keys", "new_data")
_KEYS = ("unique_key", "entry_key")
_LONGS = ("removed", "lost_position", "changed", "changed_revision", "changed_checksum", "new_position")
_NUMBERS = ("new_revision", "new_checksum", "unique_position", "entry_position")


class Rows:
    """The columns of one write."""

    def __init__(self, plan: Plan, first_position: int) -> None:
        """Take a plan that began to count positions at `first_position`, and revisions at `NEW`."""
        self._first = first_position
        self._texts = {name: Texts() for name in _TEXTS}
        self._blobs = {name: Blobs() for name in (*_BLOBS, *_KEYS)}
        self._longs = {name: Longs() for name in (*_LONGS, *_NUMBERS)}
        self._counts: dict[tuple[str, str, bytes], int] = {}
        self._positions = plan.position - first_position
        self._revisions = plan.revision - NEW
        for change in plan.changes.values():
            self._add(change)

    def columns(self) -> dict[str, object]:
        """Return the parameters of the write."""
        changed = [(name, change) for name, change in self._counts.items() if change]
        return {
            "p_positions": self._positions,
            "p_revisions": self._revisions,
            **{f"p_{name}": column for name, column in (self._texts | self._blobs | self._longs).items()},
            "p_count_kind": Texts(kind for (kind, _, _), _ in changed),
            "p_count_index": Texts(index for (_, index, _), _ in changed),
            "p_count_key": Blobs(key for (_, _, key), _ in changed),
            "p_count_change": Longs(change for _, change in changed),
        }

    def _add(self, change: Change) -> None:
        before, after = change.before, change.after
        if before and not change.stays:
            self._longs["removed"].append(before.position)
            self._count(change.kind.name, "", b"", -1)
        if after and change.stays:
            self._change(change, after)
        elif after:
            self._create(change, after)
        lost, gained = change.index_changes()
        if before:
            self._unindex(change, before.position, lost)
        if after:
            self._index(change, self._number(after.position), gained)

    def _number(self, position: int) -> int:
        """Return a position as the write takes it: new ones count down from -1."""
        return self._first - position if position > self._first else position

    def _create(self, change: Change, after: Held) -> None:
        longs, blobs = self._longs, self._blobs
        longs["new_position"].append(self._number(after.position))
        longs["new_revision"].append(after.revision - NEW)
        longs["new_checksum"].append(checksum_of(change.stored))
        self._texts["new_kind"].append(change.kind.name)
        blobs["new_name"].append(name_of(change.id))
        blobs["new_long_id"].append(long_id_of(change.id))
        blobs["new_keys"].append(key_list_bytes(after.keys))
        blobs["new_data"].append(change.stored)
        self._count(change.kind.name, "", b"", 1)

    def _change(self, change: Change, after: Held) -> None:
        self._longs["changed"].append(after.position)
        self._longs["changed_revision"].append(after.revision - NEW)
        self._longs["changed_checksum"].append(checksum_of(change.stored))
        self._blobs["changed_keys"].append(key_list_bytes(after.keys))
        self._blobs["changed_data"].append(change.stored)

    def _index(self, change: Change, number: int, gained: Keys) -> None:
        kind = change.kind
        for index, key in gained:
            sort = "unique" if index in kind.unique else "entry"
            raw = key_bytes(key)
            self._texts[f"{sort}_kind"].append(kind.name)
            self._texts[f"{sort}_index"].append(index)
            self._blobs[f"{sort}_key"].append(raw)
            self._longs[f"{sort}_position"].append(number)
            if index in kind.counted:
                self._count(kind.name, index, raw, 1)

    def _unindex(self, change: Change, position: int, lost: Keys) -> None:
        kind = change.kind
        for index, key in lost:
            raw = key_bytes(key)
            self._texts["lost_kind"].append(kind.name)
            self._texts["lost_index"].append(index)
            self._blobs["lost_key"].append(raw)
            self._longs["lost_position"].append(position)
            if index in kind.counted:
                self._count(kind.name, index, raw, -1)

    def _count(self, kind: str, index: str, key: bytes, change: int) -> None:
        name = (kind, index, key)
        self._counts[name] = self._counts.get(name, 0) + change
