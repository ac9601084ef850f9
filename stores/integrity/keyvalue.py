"""What a database in the key-value layout holds: every row is read, and put into the words of `contents.py`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

from stores.codecs import Codec, Undecodable
from stores.contract import IndexKey
from stores.integrity.check import UNKNOWN_ID, own_id
from stores.integrity.contents import Count, Entry, Resource, Unreadable
from stores.integrity.findings import Finding
from stores.keyvalue import layout
from stores.keyvalue.engine import Engine, EngineCorrupt
from stores.schema import Kind, Schema

Span = tuple[bytes, bytes]
"""First key, and the first key behind: where rows of one sort stand."""
_BEHIND = b"\xff" * (layout.PART_BYTES_MAX + 1)
_FIRST, _LAST = b"\x00", b"\xff" * 8
_SHOWN_BYTES = 60


class KindSpans(NamedTuple):
    """Where the rows of a kind stand."""

    records: Span
    order: Span
    indexes: dict[str, Span]
    counts: dict[str, Span]

    def all(self) -> Iterator[Span]:
        """Yield every span."""
        yield from (self.records, self.order, *self.indexes.values(), *self.counts.values())


def spans_of(kind: layout.KindLayout) -> KindSpans:
    """Return where the rows of a kind stand."""
    indexes = {name: (row.prefix, row.prefix + _BEHIND) for name, row in kind.indexes.items()}
    counts = {name: (row.counter, row.counter + _BEHIND) for name, row in kind.indexes.items() if row.counter}
    return KindSpans(kind.records, kind.order_range(-1), indexes, counts)


class KeyValueContents:
    """See `Contents`: one snapshot of an engine."""

    keeps_order = True

    def __init__(self, engine: Engine, codec: Codec, schema: Schema) -> None:
        """Take a snapshot; leave it to `close`, or use it as a context manager."""
        self.schema = schema
        self._codec = codec
        self._layouts = {name: layout.KindLayout(kind) for name, kind in schema.items()}
        self._spans = {name: spans_of(kind) for name, kind in self._layouts.items()}
        self._snapshot = engine.snapshot()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._snapshot.close()

    def pack(self, key: IndexKey) -> bytes:
        """See `Contents`."""
        return layout.pack_key(key)

    def state(self) -> layout.State:
        """See `Contents`. Raises FormatMismatch."""
        return layout.read_state(self._snapshot.get(layout.STATE_KEY))

    def whole(self) -> Iterator[Finding]:
        """See `Contents`. Rows between the spans belong to nothing."""
        spans = sorted(span for kind in self._spans.values() for span in kind.all())
        known = [(layout.META_KEY, layout.META_KEY + b"\0"), (layout.STATE_KEY, layout.STATE_KEY + b"\0"), *spans]
        start = _FIRST
        for first, behind in [*known, (_LAST, _LAST)]:
            for row in self._rows("", (start, first)):
                yield row if isinstance(row, Finding) else Finding("row-unknown", "", "", f"key {_shown(row[0])}")
            start = behind

    def _rows(self, kind: str, span: Span) -> Iterator[tuple[bytes, bytes] | Finding]:
        """Yield the rows of a span; in the end a finding, if the engine can't read on."""
        last = b""
        try:
            for row in self._snapshot.range(*span):
                last = row[0]
                yield row
        except EngineCorrupt as error:
            where = f"behind key {_shown(last)}" if last else f"from key {_shown(span[0])} on"
            yield Finding("area-unreadable", kind, "", f"{where}: {error}")

    def resources(self, kind: str) -> Iterator[Resource | Unreadable | Finding]:
        """See `Contents`."""
        layouts, row_kind = self._layouts[kind], self.schema[kind]
        front = len(layouts.records[0])
        for row in self._rows(kind, layouts.records):
            if isinstance(row, Finding):
                yield row
                continue
            key, value = row
            try:
                resource = self._resource(row_kind, key[front:], value)
            except (layout.Damaged, Undecodable, UnicodeDecodeError) as error:
                yield Unreadable(_id_of_key(key[front:]) or UNKNOWN_ID, str(error))
                continue
            if layouts.record(resource.id) != key:
                yield Unreadable(_shown(key[front:]), "its key isn't that of its id")
                continue
            yield resource

    def _resource(self, kind: Kind, raw_id: bytes, value: bytes) -> Resource:
        message = self._codec.message(kind.message_type, layout.message_of(value))
        held = layout.held_of(value)
        id_ = own_id(message) if raw_id.startswith(layout.HASHED) else raw_id.decode()
        return Resource(id_, held.position, held.revision, held.keys, message)

    def entries(self, kind: str) -> Iterator[Entry | Finding]:
        """See `Contents`: rows of their own, and the only entry of a key in its counter."""
        layouts, spans = self._layouts[kind], self._spans[kind]
        for index, span in spans.indexes.items():
            unique = layouts.indexes[index].unique
            for row in self._rows(kind, span):
                yield row if isinstance(row, Finding) else _entry_of(kind, index, span[0], row, unique=unique)
        for index, span in spans.counts.items():
            for row in self._rows(kind, span):
                entry = row if isinstance(row, Finding) else _single_entry(kind, index, span[0], row)
                if entry is not None:
                    yield entry

    def counted(self, kind: str) -> frozenset[str]:
        """See `Contents`: every index that isn't unique."""
        return frozenset(self._spans[kind].counts)

    def counts(self, kind: str) -> Iterator[Count | Finding]:
        """See `Contents`."""
        for index, span in self._spans[kind].counts.items():
            for row in self._rows(kind, span):
                if isinstance(row, Finding):
                    yield row
                    continue
                try:
                    yield Count(index, row[0][len(span[0]) :], layout.unpack_count(row[1]))
                except struct.error as error:
                    yield _unreadable_row(kind, row[0], error)

    def order(self, kind: str) -> Iterator[tuple[int, str] | Finding]:
        """See `Contents`."""
        for row in self._rows(kind, self._spans[kind].order):
            if isinstance(row, Finding):
                yield row
                continue
            try:
                for position, id_ in layout.unpack_ordered(*row):
                    yield position, id_.decode()
            except (layout.Damaged, struct.error, UnicodeDecodeError) as error:
                yield _unreadable_row(kind, row[0], error)


def _entry_of(kind: str, index: str, front: bytes, row: tuple[bytes, bytes], *, unique: bool) -> Entry | Finding:
    """Return the entry of an index row."""
    key, value = row
    packed = key[len(front) :]
    try:
        if unique:
            return Entry(index, packed, *layout.unpack_unique(value))
        return Entry(index, packed[:-8], layout.position_of(packed), value.decode())
    except (struct.error, UnicodeDecodeError) as error:
        return _unreadable_row(kind, key, error)


def _single_entry(kind: str, index: str, front: bytes, row: tuple[bytes, bytes]) -> Entry | Finding | None:
    """Return the only entry of a key, which stands in its counter, or None if that holds none."""
    key, value = row
    single = layout.single_of(value)
    if single is None:
        return None
    try:
        return Entry(index, key[len(front) :], layout.unpack_position(single[0]), single[1].decode())
    except (struct.error, UnicodeDecodeError) as error:
        return _unreadable_row(kind, key, error)


def _unreadable_row(kind: str, key: bytes, error: Exception) -> Finding:
    return Finding("row-unreadable", kind, "", f"key {_shown(key)}: {error}")


def _id_of_key(raw: bytes) -> str:
    """Return the id that a record's key ends with; a long id stands there as its hash."""
    return raw.hex() if raw.startswith(layout.HASHED) else raw.decode(errors="backslashreplace")


def _shown(key: bytes) -> str:
    return repr(key[:_SHOWN_BYTES])[2:-1]
