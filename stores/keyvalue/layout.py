"""The bytes of keys and values in a key-value engine: the on-disk format, without any I/O.

`store.py` has the table of what stands where. Any change here is a new FORMAT_VERSION.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import orjson
from google_crc32c import extend
from google_crc32c import value as crc32c

from stores.contract import FormatMismatch, IndexKey, Keys, StoreDamaged
from stores.format import PRODUCT, check_format, checksum_of
from stores.high_water import HighWater
from stores.rules import Held
from stores.schema import Index, Kind

FORMAT_VERSION = 4
META_KEY = b"M"
STATE_KEY = b"S"
KEY_BYTES_MAX = 460
"""Longest key that the layout makes: LMDB's limit is 511 bytes."""

ORDER_SPAN = 16
"""Positions that share an order row: resources created close together take a row for many of them."""

PART_BYTES_MAX = 180
_NAME_BYTES_MAX = 120
HASHED = b"\xff\xff"
"""What the hash of a long id or index key begins with: no UTF-8 text does."""
_HEADER = struct.Struct(">IIQQ")
"""Of a record: bytes of index keys, checksum (0: none), position, revision."""
RECORD_HEADER_BYTES = _HEADER.size
_FRONT = struct.Struct(">II")
"""The part of it that a read of the message needs."""
_U64 = struct.Struct(">Q")
_STATE = struct.Struct(">QQ")
_ORDERED = struct.Struct(">BI")
"""Of a resource in an order row: its place in the span of positions, and the bytes of its id, which follow."""
_CHECKSUM_FROM = 8


class Damaged(Exception):
    """Stored bytes that the layout can't have written."""


class IndexLayout(NamedTuple):
    """What the keys of an index's rows begin with. A unique index has no counters: `counter` is empty."""

    unique: bool
    prefix: bytes
    counter: bytes
    listed: bytes
    """What an entry begins with in the list of index keys that a record holds."""


class KindLayout:
    """Makes the keys of one kind."""

    __slots__ = ("_order", "_record", "entries", "indexes", "message_type", "records")

    def __init__(self, kind: Kind) -> None:
        name = _named(kind.name)
        self._record = b"r" + name
        self.records = (self._record, self._record + b"\xff" * (PART_BYTES_MAX + 1))
        """Range of all records."""
        self._order = b"o" + name
        self.message_type = kind.message_type
        self.entries = kind.entries
        self.indexes = {index.name: _index_layout(name, index) for index in kind.indexes}

    def record(self, id: str) -> bytes:  # noqa: A002
        """Key of a record. Raises UnicodeEncodeError for an id that can't be one, the empty one included."""
        raw = id.encode()
        return self._record + raw if 0 < len(raw) <= PART_BYTES_MAX else self.record_of(raw)

    def record_of(self, raw: bytes) -> bytes:
        """Key of the record with an id in UTF-8."""
        if 0 < len(raw) <= PART_BYTES_MAX:
            return self._record + raw
        if not raw:
            raise UnicodeEncodeError("utf-8", "", 0, 0, "an id is not empty")
        return self._record + HASHED + hashlib.sha256(raw).digest()

    def order(self, position: int) -> bytes:
        """Key of the order row that a position belongs to."""
        return self._order + pack_position(position // ORDER_SPAN)

    def order_range(self, after: int) -> tuple[bytes, bytes]:
        """Range of the order rows that hold all positions behind one, and perhaps some before it."""
        return self.order(after + 1), self._order + b"\xff" * 9

    def unique(self, index: str, packed: bytes) -> bytes:
        """Key of a unique row; `packed` is the index key by `pack_key`, here and below."""
        return self.indexes[index].prefix + packed

    def index_range(self, index: str, packed: bytes, after: int) -> tuple[bytes, bytes]:
        """Range of the index rows of a key behind a position."""
        prefix = self.indexes[index].prefix + packed
        return prefix + pack_position(after + 1), prefix + b"\xff" * 9

    def counter(self, index: str, packed: bytes) -> bytes:
        """Key of the counter of an index key. The index isn't unique."""
        return self.indexes[index].counter + packed


def _index_layout(kind_named: bytes, index: Index) -> IndexLayout:
    named = kind_named + _named(index.name)
    listed = b"[" + orjson.dumps(index.name) + b","
    prefix, counter = (b"u", b"") if index.unique else (b"i", b"c" + named)
    return IndexLayout(index.unique, prefix + named, counter, listed)


@cache
def _named(name: str) -> bytes:
    raw = name.encode()
    if len(raw) > _NAME_BYTES_MAX:
        raise ValueError(f"the names of kinds and indexes have at most {_NAME_BYTES_MAX} bytes, not {name!r}")
    return bytes([len(raw)]) + raw


def pack_key(key: IndexKey) -> bytes:
    """Return an index key's bytes, a JSON array: no packed key is a prefix of another. Long ones are hashed."""
    return fitted(orjson.dumps(key))


def fitted(key: bytes) -> bytes:
    """Return the JSON of an index key, or its hash if it is long."""
    return key if len(key) <= PART_BYTES_MAX else HASHED + hashlib.sha256(key).digest()


pack_position = _U64.pack
"""Return a position's eight bytes, which sort as the numbers do."""


def unpack_position(packed: bytes) -> int:
    """Return the position that `pack_position` packed. Raises Damaged."""
    try:
        (position,) = _U64.unpack(packed)
    except struct.error as error:
        raise Damaged(f"a position can't be read: {error}") from error
    return int(position)


def position_of(row_key: bytes) -> int:
    """Return the position at the end of the key of an index row."""
    return unpack_position(row_key[-8:])


# ---- values


def pack_record(position: int, revision: int, keys: bytes, stored: bytes, *, checksum: bool) -> bytes:
    """Return a record: header, index keys by `pack_keys`, message."""
    header = _HEADER.pack(len(keys), 0, position, revision)
    if not checksum:
        return header + keys + stored
    body = header[_CHECKSUM_FROM:] + keys + stored
    return _FRONT.pack(len(keys), checksum_of(body)) + body


pack_keys: Callable[[Keys], bytes] = orjson.dumps
"""Return index keys as a record holds them: a JSON array of [index, key]."""


def unpack_keys(raw: bytes) -> Keys:
    """Return index keys from JSON. Raises Damaged."""
    try:
        return tuple((index, tuple(key)) for index, key in orjson.loads(raw))
    except (ValueError, TypeError) as error:
        raise Damaged(f"its index keys can't be read: {error}") from error


def message_of(value: bytes) -> bytes:
    """Return the message's part of a record. Raises Damaged."""
    if len(value) < _HEADER.size:
        raise Damaged(f"it is {len(value)} bytes long, less than its header")
    keys_bytes, checksum = _FRONT.unpack_from(value)
    start = _HEADER.size + keys_bytes
    if start > len(value):
        raise Damaged("it ends before its message begins")
    if not keys_bytes:  # a hole of zeros: no keys at all are written as [], and no checksum as 0
        raise Damaged("its index keys are missing")
    message = value[start:]
    if checksum and (extend(crc32c(value[_CHECKSUM_FROM:start]), message) or 1) != checksum:
        raise Damaged("its checksum doesn't match")
    return message


def numbers_of(value: bytes) -> tuple[int, int]:
    """Return position and revision of a record that `message_of` accepted."""
    _, _, position, revision = _HEADER.unpack_from(value)
    return position, revision


def held_of(value: bytes) -> Held:
    """Return what a commit needs to know of a record. Raises Damaged."""
    message_of(value)
    keys_bytes, _, position, revision = _HEADER.unpack_from(value)
    return Held(position, revision, unpack_keys(value[_HEADER.size : _HEADER.size + keys_bytes]))


def pack_unique(position: bytes, id: bytes) -> bytes:  # noqa: A002
    """Return the value of a unique row."""
    return position + id


def unpack_unique(value: bytes) -> tuple[int, str]:
    """Return position and id of a unique row. Raises Damaged."""
    try:
        return _U64.unpack_from(value)[0], value[8:].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise Damaged(f"a row of a unique index can't be read: {error}") from error


def span_of(entry: tuple[int, bytes]) -> int:
    """Return which span of positions, and so which order row, an entry (position, id) belongs to."""
    return entry[0] // ORDER_SPAN


def pack_ordered(position: int, id: bytes) -> bytes:  # noqa: A002
    """Return a resource's part of an order row."""
    return _ORDERED.pack(position % ORDER_SPAN, len(id)) + id


def unpack_ordered(key: bytes, value: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield position and id of each resource in an order row, in order. Raises Damaged."""
    first, at = unpack_position(key[-8:]) * ORDER_SPAN, 0
    while at < len(value):
        try:
            place, size = _ORDERED.unpack_from(value, at)
        except struct.error as error:
            raise Damaged(f"an order row ends in the middle of an entry: {error}") from error
        at += _ORDERED.size + size
        if at > len(value):
            raise Damaged("an order row ends in the middle of an id")
        yield first + place, value[at - size : at]


pack_count = _U64.pack
"""Return the value of a counter whose entries have rows of their own."""
_ONE = pack_count(1)


def pack_single(position: bytes, id: bytes) -> bytes:  # noqa: A002
    """Return the value of a counter that holds the only entry itself: most keys have one, and it costs no row."""
    return _ONE + position + id


def unpack_count(value: bytes | None) -> int:
    """Return the number of a counter; a missing one says 0. Raises Damaged."""
    try:
        return 0 if value is None else int(_U64.unpack_from(value)[0])
    except struct.error as error:
        raise Damaged(f"the counter of an index key can't be read: {error}") from error


def single_of(value: bytes | None) -> tuple[bytes, bytes] | None:
    """Return position (packed) and id of the entry that a counter holds itself, or None."""
    return None if value is None or len(value) == _U64.size else (value[8:16], value[16:])


# ---- meta and state


class State(NamedTuple):
    """What changes with each commit: last numbers given out, and resources per kind."""

    position: int = 0
    revision: int = 0
    counts: Mapping[str, int] = MappingProxyType({})


def pack_state(state: State) -> bytes:
    """Return the state row's value."""
    parts = [_STATE.pack(state.position, state.revision)]
    for kind, count in state.counts.items():
        parts += (_named(kind), _U64.pack(count))
    return b"".join(parts)


def read_state(value: bytes | None) -> State:
    """Return the state of a database; a new one has none. Raises StoreDamaged."""
    if value is None:
        return State()
    try:
        position, revision = _STATE.unpack_from(value)
        at, counts = 16, {}
        while at < len(value):
            end = at + 1 + value[at]
            (counts[value[at + 1 : end].decode()],) = _U64.unpack_from(value, end)
            at = end + 8
    except (struct.error, UnicodeDecodeError) as error:
        raise StoreDamaged(f"the database's state row can't be read: {error}") from error
    return State(position, revision, counts)


def high_water(state: State) -> HighWater:
    """Return what a high-water mark says of a state."""
    return HighWater(state.position, state.revision, sum(state.counts.values()))


def meta_value(codec: str) -> bytes:
    """Return the meta row of a new database."""
    return orjson.dumps({"product": PRODUCT, "format": FORMAT_VERSION, "codec": codec})


def check_meta(value: bytes, codec: str) -> None:
    """Raise FormatMismatch unless the database is ours, of this format and codec."""
    try:
        meta = orjson.loads(value)
        product, version, written_by = meta["product"], meta["format"], meta["codec"]
    except (ValueError, TypeError, KeyError) as error:
        raise FormatMismatch("the database's meta row can't be read", hint="is this a database of ours?") from error
    check_format(product, version, written_by, codec, FORMAT_VERSION)


def check_empty(rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise FormatMismatch if a database without meta row has anything in it, StoreDamaged if that is ours."""
    for key, _ in rows:
        if key == STATE_KEY:
            raise StoreDamaged("the database's meta row is gone, but its state row is there")
        raise FormatMismatch(
            f"the database isn't ours: it has no meta row, but a key {key[:20]!r}", hint="choose another path"
        )
