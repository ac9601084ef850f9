"""The logs of LevelDB and RocksDB: batches in fragments, each with a checksum, in blocks of 32 KiB.

https://github.com/google/leveldb/blob/main/doc/log_format.md. A fragment that can't be read costs what stands in it:
what a batch holds before it is read from the front, and what it holds behind it from the back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from google_crc32c import value as crc32c

from stores.salvage.versions import Area, Damaged, Place, Version, varint

BLOCK_BYTES = 32 * 1024
_HEADER = struct.Struct("<IHB")
"""Masked checksum, bytes that follow the header, type."""
_BATCH = struct.Struct("<QI")
"""Sequence number of the first row, number of rows."""
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
_MASK_DELTA = 0xA282EAD8
_DELETION, _VALUE, _LOG_DATA = 0, 1, 3
_FAMILY_DELETION, _FAMILY_VALUE = 4, 5
_NOTHING = 13
"""RocksDB's mark that takes no sequence number."""


def masked(crc: int) -> int:
    """Return a checksum as LevelDB stores it: a checksum of bytes that hold checksums would be weak."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


class _Fragment(NamedTuple):
    type: int
    payload: bytes
    place: Place


class _Row(NamedTuple):
    """A row of a batch: key, value, and where in the batch it stands. Without key it takes no sequence number."""

    key: bytes | None
    value: bytes | None
    start: int
    end: int


class LogReader:
    """Reads one log."""

    def __init__(self, name: str, data: bytes, areas: list[Area]) -> None:
        """Take a log's bytes; what can't be read is appended to the areas."""
        self._name = name
        self._data = data
        self._areas = areas
        self._number = 0
        """The last sequence number seen."""

    def versions(self) -> Iterator[Version]:
        """Yield the versions of rows in all batches."""
        batch: list[_Fragment] = []
        for fragment in self._fragments():
            if fragment is None:
                yield from self._rows(batch)
                batch = []
            elif fragment.type in {FULL, FIRST}:
                yield from self._rows(batch)
                batch = [fragment]
                if fragment.type == FULL:
                    yield from self._rows(batch)
                    batch = []
            elif fragment.type in {MIDDLE, LAST}:
                batch.append(fragment)
                if fragment.type == LAST:
                    yield from self._rows(batch)
                    batch = []
        yield from self._rows(batch)

    def _fragments(self) -> Iterator[_Fragment | None]:
        """Yield the fragments, and None where some are missing."""
        at, size = 0, len(self._data)
        while at < size:
            left = BLOCK_BYTES - at % BLOCK_BYTES
            if left < _HEADER.size:
                at += left
                continue
            fragment = self._fragment_at(at)
            if fragment is None:
                stop = min(at + left, size)
                later = (self._fragment_at(place) for place in range(at + 1, stop - _HEADER.size))
                found = next((each for each in later if each), None)
                end = found.place.start if found else stop
                self._areas.append(Area(Place(self._name, at, end), "no batch can be read here"))
                yield None
                at = end
            else:
                yield fragment
                at = fragment.place.end

    def _fragment_at(self, at: int) -> _Fragment | None:
        if at + _HEADER.size > len(self._data):
            return None
        stored, length, type_ = _HEADER.unpack_from(self._data, at)
        end = at + _HEADER.size + length
        if not type_ or end > len(self._data) or end > at - at % BLOCK_BYTES + BLOCK_BYTES:
            return None
        if masked(crc32c(self._data[at + 6 : end])) != stored:
            return None
        return _Fragment(type_, self._data[at + _HEADER.size : end], Place(self._name, at, end))

    def _rows(self, batch: list[_Fragment]) -> Iterator[Version]:
        """Yield the versions of a batch of which some fragments may be missing, before or behind."""
        if not batch:
            return
        payload = b"".join(fragment.payload for fragment in batch)
        if batch[0].type in {FULL, FIRST}:
            if len(payload) < _BATCH.size:
                return
            number, _ = _BATCH.unpack_from(payload)
            rows = list(_parsed(payload, _BATCH.size))
        else:
            number, rows = self._number + 1, _parsed_tail(payload)
        for row in rows:
            if row.key is not None:
                self._number = number
                yield Version(row.key, number, row.value, _places(batch, row))
                number += 1


def _places(batch: list[_Fragment], row: _Row) -> tuple[Place, ...]:
    """Return the fragments that a row stands in."""
    at, places = 0, []
    for fragment in batch:
        end = at + len(fragment.payload)
        if at < row.end and end > row.start:
            places.append(fragment.place)
        at = end
    return tuple(places)


def _parsed(payload: bytes, at: int) -> Iterator[_Row]:
    """Yield the rows of a batch up to where it can't be read."""
    while at < len(payload):
        try:
            row = _row_at(payload, at)
        except Damaged:
            return
        yield row
        at = row.end


def _parsed_tail(payload: bytes) -> list[_Row]:
    """Return the rows of the end of a batch: from the first place from which rows follow each other to the end."""
    for start in range(len(payload)):
        if payload[start] in {_DELETION, _VALUE, _FAMILY_VALUE, _FAMILY_DELETION}:
            rows = list(_parsed(payload, start))
            if rows and rows[-1].end == len(payload):
                return rows
    return []


def _row_at(payload: bytes, at: int) -> _Row:
    start, tag = at, payload[at]
    at += 1
    if tag in {_FAMILY_DELETION, _FAMILY_VALUE}:
        _, at = varint(payload, at)
        tag -= _FAMILY_DELETION
    if tag == _NOTHING:
        return _Row(None, None, start, at)
    if tag not in {_DELETION, _VALUE, _LOG_DATA}:
        raise Damaged(f"a row of the unknown sort {tag}")
    key, at = _text(payload, at)
    if tag == _LOG_DATA:
        return _Row(None, None, start, at)
    if tag == _DELETION:
        return _Row(key, None, start, at)
    value, at = _text(payload, at)
    return _Row(key, value, start, at)


def _text(payload: bytes, at: int) -> tuple[bytes, int]:
    size, at = varint(payload, at)
    if at + size > len(payload):
        raise Damaged("a text ends behind its batch")
    return payload[at : at + size], at + size
