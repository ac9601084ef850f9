"""The insert planner: batches that only create are planned and laid out in one pass.

It states no rule of its own. A batch that isn't insert-only, or that may conflict with anything (an id or unique key
that is there, a condition that doesn't hold, a message that can't be encoded), raises NotInsertOnly, and the general
planner, `Plan` and `Rows`, decides what it comes to. Most commits of a server are insert-only (ADR 0016 has figures).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby

from google.protobuf.message import Message
from orjson import dumps

from stores.codecs import Codec
from stores.contract import Batch, Delete, InvalidOperation, Present, Put, Vacant
from stores.keyvalue import layout
from stores.keyvalue.rows import RowChanges
from stores.keyvalue.upper_bounds import UpperBounds
from stores.rules import check_key
from stores.schema import Entries

Get = Callable[[bytes], bytes | None]
Tails = dict[str, tuple[bytes, bytes]]
"""The last order row of a kind: its key, and its value in the engine."""
Entered = tuple[bytes, list[tuple[bytes, bytes]]]
"""What the key of an index's rows begins with, and position and id of each new entry."""


class NotInsertOnly(Exception):
    """The batch is not insert-only, or may conflict with what is stored."""


class Inserts:
    """Collects the rows of batches that only create resources. After `NotInsertOnly` it is of no use any more."""

    def __init__(
        self,
        get: Get,
        layouts: Mapping[str, layout.KindLayout],
        codec: Codec,
        state: layout.State,
        counters: dict[bytes, bytes | None],
        tails: Tails,
        upper_bounds: UpperBounds,
        *,
        checksum: bool,
    ) -> None:
        """`counters` and `tails`: what is known of the engine's; after `finish`, as they will be in the engine."""
        self._get = get
        self._layouts = layouts
        self._codec = codec
        self._checksum = checksum
        self._position = state.position
        self._revision = state.revision
        self._counts = dict(state.counts)
        self._rows: dict[bytes, bytes] = {}
        self._counters = counters
        self._tails = tails
        self._upper_bounds = upper_bounds
        self.greatest: dict[str, bytes] = {}
        """The greatest record key of what is created, by kind."""
        self._created: dict[str, list[tuple[int, bytes]]] = {}
        """Position and id of what is new, by kind."""
        self._added: dict[bytes, Entered] = {}
        """What is new under each key that isn't unique, by the key of its counter."""

    def add(self, batch: Batch) -> int:
        """Enter a batch; return the position of the last resource that it creates. Raises NotInsertOnly."""
        conditions: list[Vacant | Present] = []
        before = self._position
        try:
            for operation in batch:
                if isinstance(operation, Put):
                    if operation.precondition not in {"absent", "any"} or operation.expect is not None:
                        raise NotInsertOnly
                    if operation.position is not None:
                        raise NotInsertOnly
                    self._insert(operation)
                elif isinstance(operation, Delete):
                    raise NotInsertOnly
                else:
                    conditions.append(operation)
            for condition in conditions:
                self._check(condition)
        except (KeyError, TypeError, InvalidOperation, UnicodeEncodeError, layout.Damaged) as error:
            raise NotInsertOnly from error
        return self._position if self._position > before else 0

    def finish(self) -> tuple[RowChanges, layout.State]:
        """Return the rows to write, and the state after them."""
        for kind, created in self._created.items():
            self._counts[kind] = self._counts.get(kind, 0) + len(created)
            self._order(kind, created)
        rows: RowChanges = list(self._rows.items())
        counters, get = self._counters, self._get
        for counter, (row, entries) in self._added.items():
            before = counters.pop(counter) if counter in counters else get(counter)
            if before is None:  # one that is new seldom comes again, and isn't remembered
                if len(entries) == 1:
                    rows.append((counter, layout.pack_single(*entries[0])))
                    continue
                value = layout.pack_count(len(entries))
            else:
                if single := layout.single_of(before):
                    rows.append((row + single[0], single[1]))
                value = counters[counter] = layout.pack_count(layout.unpack_count(before) + len(entries))
            rows += [(row + position, id_) for position, id_ in entries]
            rows.append((counter, value))
        state = layout.State(self._position, self._revision, self._counts)
        rows.append((layout.STATE_KEY, layout.pack_state(state)))
        return rows, state

    def _order(self, kind: str, created: list[tuple[int, bytes]]) -> None:
        """Enter what was created of a kind into its order rows. Behind the last one that is known there is none."""
        order, tail = self._layouts[kind].order, self._tails.get(kind)
        for _, of_span in groupby(created, layout.span_of):
            entries = list(of_span)
            row = order(entries[0][0])
            if tail is None:
                tail = (row, self._get(row) or b"")
            before = tail[1] if tail[0] == row else b""
            value = before + b"".join([layout.pack_ordered(*entry) for entry in entries])
            tail = self._tails[kind] = (row, value)
            self._rows[row] = value

    def _insert(self, put: Put) -> None:
        kind, id_ = put.kind, put.id.encode()
        keys = self._layouts[kind]
        stored = self._encoded(put, keys.message_type)
        record = self._vacant_record(kind, keys, id_)
        self._revision += 1
        self._position = number = self._position + 1
        created = self._created.get(kind)
        if created is None:
            self._created[kind] = [(number, id_)]
        else:
            created.append((number, id_))
        entries = keys.entries(put.message) if put.keys is None else put.keys
        listed = self._index(keys, entries, layout.pack_position(number), id_)
        self._rows[record] = layout.pack_record(number, self._revision, listed, stored, checksum=self._checksum)

    def _vacant_record(self, kind: str, keys: layout.KindLayout, id_: bytes) -> bytes:
        """Return the key of a record that isn't there."""
        record = keys.record_of(id_)
        if record in self._rows or (record <= self._upper_bounds[kind] and self._get(record) is not None):
            raise NotInsertOnly
        if record > self.greatest.get(kind, b""):
            self.greatest[kind] = record
        return record

    def _index(self, keys: layout.KindLayout, entries: Entries, position: bytes, id_: bytes) -> bytes:
        """Enter the index rows of a resource; return its index keys as a record holds them."""
        rows, added, get = self._rows, self._added, self._get
        listed: list[bytes] = []
        for name, key in entries:
            unique, prefix, counter, front = keys.indexes[name]
            if not key:
                raise NotInsertOnly
            whole = dumps(key)
            listed.append(front + whole)
            packed = whole if len(whole) <= layout.PART_BYTES_MAX else layout.fitted(whole)
            row = prefix + packed
            if unique:
                if row in rows or get(row) is not None:
                    raise NotInsertOnly
                rows[row] = position + id_
            else:
                counter += packed
                entered = added.get(counter)
                if entered is None:
                    added[counter] = (row, [(position, id_)])
                elif entered[1][-1][0] == position:
                    raise NotInsertOnly  # the same key twice counts once
                else:
                    entered[1].append((position, id_))
        return b"[" + b"],".join(listed) + b"]]" if listed else b"[]"

    def _encoded(self, put: Put, message_type: type[Message]) -> bytes:
        if isinstance(put.message, message_type):
            return self._codec.encode(put.message, put.data)
        if put.message is not None or put.data is None or put.keys is None:
            raise NotInsertOnly
        return self._codec.encode_wire(message_type, put.data)

    def _check(self, condition: Vacant | Present) -> None:
        keys = self._layouts[condition.kind]
        if isinstance(condition, Vacant):
            self._check_vacant(keys.indexes[condition.index], condition)
            return
        record = keys.record(condition.id)
        if record not in self._rows:
            stored = self._get(record)
            if stored is None:
                raise NotInsertOnly
            layout.message_of(stored)  # one that is damaged is nobody's parent

    def _check_vacant(self, index: layout.IndexLayout, vacant: Vacant) -> None:
        check_key(vacant.index, vacant.key)
        if index.unique:
            raise NotInsertOnly
        counter = index.counter + layout.pack_key(vacant.key)
        _row, new = self._added.get(counter, (b"", ()))
        unless = None if vacant.unless is None else vacant.unless.encode()
        # Who stands there in the store is for the general planner; here a counter says that nobody does.
        if any(id_ != unless for _position, id_ in new) or self._counter(counter) is not None:
            raise NotInsertOnly

    def _counter(self, counter: bytes) -> bytes | None:
        """Return a counter's value before this write."""
        try:
            return self._counters[counter]
        except KeyError:
            value = self._counters[counter] = self._get(counter)
            return value
