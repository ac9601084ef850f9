"""Scans of a key-value store: ids from the rows of an order or index, and the records that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

from stores.contract import CorruptIndex, CorruptRecord, Record, StoreError, StoreUnavailable
from stores.gate import Gate
from stores.keyvalue import layout
from stores.keyvalue.engine import EngineCorrupt, Snapshot

RecordOf = Callable[[str, str, bytes], Record]
"""Makes a Record of kind, id, and a stored value. Raises CorruptRecord."""


def ids_in_order(rows: Iterator[tuple[bytes, bytes]], after: int) -> Iterator[str]:
    """Yield the ids in order rows behind a position, in the order of creation. Raises Damaged."""
    for row in rows:
        for position, id_ in layout.unpack_ordered(*row):
            if position > after:
                yield id_.decode()


def entries_under(
    snapshot: Snapshot, keys: layout.KindLayout, index: str, packed: bytes, after: int
) -> Iterator[tuple[int, str]]:
    """Yield (position, id) of what stands under a key of an index that isn't unique, behind a position.

    The engine is asked for no more rows than the counter says: behind the last one it may have to pass every row that
    was ever removed there, up to the next one that is left.
    """
    value = snapshot.get(keys.counter(index, packed))
    single = layout.single_of(value)
    if single is not None:
        position = layout.unpack_position(single[0])
        if position > after:
            yield position, single[1].decode()
    elif value is not None:
        for row_key, id_ in snapshot.range(*keys.index_range(index, packed, after), layout.unpack_count(value)):
            yield layout.position_of(row_key), id_.decode()


def unique_ids(value: bytes | None, after: int) -> Iterator[str]:
    """Yield the id that a unique row holds, if it stands behind a position."""
    if value is not None:
        position, id_ = layout.unpack_unique(value)
        if position > after:
            yield id_


class KeyValueScan:
    """A scan under way: one snapshot of the engine, given back at the end, at `close`, or when forgotten."""

    def __init__(
        self,
        record_of: RecordOf,
        kind: str,
        keys: layout.KindLayout,
        snapshot: Snapshot,
        ids: Iterator[str],
        gate: Gate,
        left_over: list[Snapshot],
    ) -> None:
        """`left_over` takes the snapshot of a scan that is forgotten while its engine is being closed."""
        self._record_of = record_of
        self._kind = kind
        self._keys = keys
        self._snapshot = snapshot
        self._ids = ids
        self._gate = gate
        self._left_over = left_over
        self._is_cut_off = self._has_ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        self._gate.enter()
        try:
            if self._is_cut_off:
                raise StoreUnavailable("the listing was cut off: the database was opened again", hint="begin it anew")
            id_ = next(self._ids, None)
            if id_ is None:
                self.close()
                raise StopIteration
            return self._read(id_)
        except (EngineCorrupt, layout.Damaged, UnicodeDecodeError) as damage:
            raise CorruptIndex(self._kind, str(damage)) from damage
        finally:
            self._gate.leave()

    def _read(self, id_: str) -> Record:
        try:
            value = self._snapshot.get(self._keys.record(id_))
        except EngineCorrupt as error:
            raise CorruptRecord(self._kind, id_, str(error)) from error
        if value is None:
            raise CorruptRecord(self._kind, id_, "an index names it, but it is gone")
        return self._record_of(self._kind, id_, value)

    def cut_off(self) -> None:
        """Give the snapshot back before the listing's end, if it isn't reached yet: whoever goes on is told."""
        self._is_cut_off = not self._has_ended
        self.close()

    def close(self) -> None:
        """Give the snapshot back."""
        self._has_ended = True
        self._ids = iter(())
        self._snapshot.close()

    def __del__(self) -> None:
        try:
            self._gate.enter()
        except StoreError:  # another thread closes the engine: a driver may crash if a snapshot goes meanwhile
            self._left_over.append(self._snapshot)
            return
        try:
            self.close()
        finally:
            self._gate.leave()
