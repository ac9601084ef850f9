"""The reads of a key-value store, and what the planning of a commit asks of it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import islice

from google.protobuf.message import Message

from stores.codecs import Codec, Undecodable
from stores.contract import CorruptIndex, CorruptRecord, IndexKey, InvalidOperation, Record
from stores.gate import Gate
from stores.keyvalue import layout
from stores.keyvalue.engine import Engine, EngineCorrupt, Snapshot
from stores.keyvalue.scan import KeyValueScan, entries_under, ids_in_order, unique_ids
from stores.rules import Held, bounded, check_id, check_key
from stores.schema import Schema, kind_of

_READ_ERRORS = (EngineCorrupt, layout.Damaged, Undecodable, KeyError, UnicodeEncodeError)
"""What can come up on the way of a read; `_read_error` says what each means."""
_INDEX_ERRORS = (EngineCorrupt, layout.Damaged, UnicodeDecodeError)
"""What can come up on the way from an index key to ids."""


class KeyValueReads:
    """What `KeyValueStore` answers without changing anything. `_state` is the store's to keep."""

    _state: layout.State

    def __init__(self, engine: Engine, codec: Codec, schema: Schema) -> None:
        self._engine = engine
        self._codec = codec
        self._schema = schema
        self._message_types = {name: kind.message_type for name, kind in schema.items()}
        self._layouts = {name: layout.KindLayout(kind) for name, kind in schema.items()}
        self._gate = Gate(f"the {engine.name} store")
        self._scans: weakref.WeakSet[KeyValueScan] = weakref.WeakSet()
        self._left_over: list[Snapshot] = []
        """Snapshots of scans that were forgotten while the engine was closed; they go after it."""

    # ---- what a plan asks

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002
        """See `Holdings`."""
        value = self._value(kind, id)
        if value is None:
            return None
        try:
            return layout.held_of(value)
        except layout.Damaged as damage:
            raise CorruptRecord(kind, id, str(damage)) from damage

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Holdings`."""
        try:
            value = self._engine.get(self._layouts[kind].unique(index, layout.pack_key(key)))
            return None if value is None else layout.unpack_unique(value)[1]
        except _INDEX_ERRORS as error:
            raise CorruptIndex(kind, str(error)) from error

    def entries(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """See `Holdings`."""
        try:
            yield from self._entries(self._layouts[kind], index, layout.pack_key(key))
        except _INDEX_ERRORS as error:
            raise CorruptIndex(kind, str(error)) from error

    def _entries(self, keys: layout.KindLayout, index: str, packed: bytes) -> Iterator[tuple[int, str]]:
        if keys.indexes[index].unique:
            value = self._engine.get(keys.unique(index, packed))
            if value is not None:
                yield layout.unpack_unique(value)
            return
        # Most keys have one entry or none, and this read costs less than an iterator.
        value = self._engine.get(keys.counter(index, packed))
        single = layout.single_of(value)
        if single is not None:
            yield layout.unpack_position(single[0]), single[1].decode()
        if value is None or single is not None:
            return
        snapshot = self._engine.snapshot()
        try:
            yield from entries_under(snapshot, keys, index, packed, 0)
        finally:
            snapshot.close()

    # ---- reads

    def _value(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """Return a record as stored, or None."""
        try:
            return self._engine.get(self._layouts[kind].record(id))
        except (EngineCorrupt, KeyError, UnicodeEncodeError) as error:
            raise self._read_error(kind, id, error) from error

    def _read_error(self, kind: str, id: str, error: Exception) -> Exception:  # noqa: A002
        """Return what a read raises for an error on its way: the checks of a good read cost nothing."""
        if isinstance(error, EngineCorrupt | layout.Damaged | Undecodable):
            return CorruptRecord(kind, id, str(error))
        kind_of(self._schema, kind)
        check_id(kind, id)
        return error

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002
        """See `Store`."""
        self._gate.enter()
        try:
            value = self._engine.get(self._layouts[kind].record(id))
            if value is None:
                return None
            return self._codec.message(self._message_types[kind], layout.message_of(value))
        except _READ_ERRORS as error:
            raise self._read_error(kind, id, error) from error
        finally:
            self._gate.leave()

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """See `Store`. With the codec protobuf: one engine get and one slice."""
        self._gate.enter()
        try:
            value = self._engine.get(self._layouts[kind].record(id))
            if value is None:
                return None
            return self._codec.wire(self._message_types[kind], layout.message_of(value))
        except _READ_ERRORS as error:
            raise self._read_error(kind, id, error) from error
        finally:
            self._gate.leave()

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """See `Store`."""
        self._gate.enter()
        try:
            value = self._engine.get(self._layouts[kind].record(id))
            if value is None:
                return None
            data = self._codec.wire(self._message_types[kind], layout.message_of(value))
            return Record(kind, id, *layout.numbers_of(value), data)
        except _READ_ERRORS as error:
            raise self._read_error(kind, id, error) from error
        finally:
            self._gate.leave()

    def _record_of(self, kind: str, id: str, value: bytes) -> Record:  # noqa: A002
        """Make a Record of a stored value. Raises CorruptRecord."""
        try:
            data = self._codec.wire(self._schema[kind].message_type, layout.message_of(value))
        except (layout.Damaged, Undecodable) as error:
            raise CorruptRecord(kind, id, str(error)) from error
        return Record(kind, id, *layout.numbers_of(value), data)

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        unique = self._check_index(kind, index, key)
        self._gate.enter()
        try:
            if unique:
                return self.holder(kind, index, key)
            return next((id_ for _, id_ in self.entries(kind, index, key)), None)
        finally:
            self._gate.leave()

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`. One engine get."""
        unique = self._check_scan(kind, index, key)
        self._gate.enter()
        try:
            if index is None or key is None:
                return self._state.counts.get(kind, 0)
            if unique:
                return int(self.holder(kind, index, key) is not None)
            return layout.unpack_count(self._engine.get(self._layouts[kind].counter(index, layout.pack_key(key))))
        except _INDEX_ERRORS as error:
            raise CorruptIndex(kind, str(error)) from error
        finally:
            self._gate.leave()

    def scan(
        self,
        kind: str,
        *,
        index: str | None = None,
        key: IndexKey | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """See `Store`."""
        unique = self._check_scan(kind, index, key)
        after, limit = bounded(after, limit)
        self._gate.enter()
        try:
            keys = self._layouts[kind]
            packed = b"" if key is None else layout.pack_key(key)
            if index is not None and self._is_vacant(keys, index, packed):
                return iter(())
            snapshot = self._engine.snapshot()
            if index is None:
                ids = ids_in_order(snapshot.range(*keys.order_range(after)), after)
            elif unique:
                ids = unique_ids(snapshot.get(keys.unique(index, packed)), after)
            else:
                ids = (id_ for _, id_ in entries_under(snapshot, keys, index, packed, after))
            if limit is not None:
                ids = islice(ids, limit)
            scan = KeyValueScan(self._record_of, kind, keys, snapshot, ids, self._gate, self._left_over)
            self._scans.add(scan)
        except _INDEX_ERRORS as error:
            raise CorruptIndex(kind, str(error)) from error
        else:
            return scan
        finally:
            self._gate.leave()

    def _is_vacant(self, keys: layout.KindLayout, index: str, packed: bytes) -> bool:
        """Say whether nothing stands under a key: most sets that a permission could come by are empty."""
        unique = keys.indexes[index].unique
        return self._engine.get(keys.unique(index, packed) if unique else keys.counter(index, packed)) is None

    def _check_scan(self, kind: str, index: str | None, key: IndexKey | None) -> bool:
        """Check the arguments of a scan or count; return whether the index is unique."""
        if index is not None and key is not None:
            return self._check_index(kind, index, key)
        kind_of(self._schema, kind)
        if (index is None) != (key is None):
            raise InvalidOperation("an index needs a key, and a key needs an index")
        return False

    def _check_index(self, kind: str, index: str, key: IndexKey) -> bool:
        try:
            unique = self._layouts[kind].indexes[index].unique
        except KeyError:
            unique = kind_of(self._schema, kind).index(index).unique  # says what there is
        check_key(index, key)
        return unique

    def last_position(self) -> int:
        """See `Store`."""
        self._gate.enter()
        self._gate.leave()
        return self._state.position
