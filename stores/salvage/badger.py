"""BadgerDB's files: tables (`.sst`), logs of memory tables (`.mem`) and value logs (`.vlog`), each read alone.

Formats of v4, not encrypted, tables uncompressed or snappy: `table/builder.go`, `structs.go` and `memtable.go` of
https://github.com/dgraph-io/badger. A batch that was too large for a transaction, and was cut off while it was applied,
stands in part: the journal it stands in as a whole isn't read.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google_crc32c import value as crc32c

from stores.salvage.snappy import decompress
from stores.salvage.versions import Area, Damaged, Place, Version, bytes_of, varint
from stores.shadow import data_of

FILE_HEADER_BYTES = 20
"""Of a log: the number of the key that encrypts it, and an initialization vector."""
_TS_BYTES = 8
_TS_MAX = (1 << 64) - 1
_DELETED, _POINTER = 1, 2
_KEY_BYTES_MAX = 1 << 16
_U32 = struct.Struct(">I")
_ENTRY = struct.Struct("<HH")
"""Of a table's row: bytes shared with the block's first key, and bytes of its own."""
_VALUE_POINTER = struct.Struct("<III")
_NOT_ZERO = re.compile(rb"[^\x00]")
_ROW_LETTERS = frozenset(b"MSrouic")
"""What the keys of the layout begin with."""
_CHECKSUM_FIELD_SUM = 0x10
"""Of the message that holds a checksum: field 2, a number. Field 1, the sort, is left out where it is CRC-32C."""
_BLOCK_TAIL_BYTES = 12
"""Fewer than the offsets, checksum and lengths that end a block."""


Data = bytes | mmap.mmap


class _LogEntry(NamedTuple):
    meta: int
    key: bytes
    value: bytes
    end: int


def read_badger(folder: Path, areas: list[Area]) -> Iterator[Version]:
    """See `Reader`. Values that stand in a value log are looked up there."""
    logs = {file.name: _mapped(file, areas) for file in sorted(folder.glob("*.vlog"))}
    for file in sorted(folder.iterdir()):
        if re.fullmatch(r"\d+\.sst", file.name):
            found = _table(file, areas)
        elif re.fullmatch(r"\d+\.mem", file.name):
            found = _log(file, areas)
        else:
            continue
        for version, meta in found:
            whole = _from_value_log(version, logs, areas) if meta & _POINTER and not meta & _DELETED else version
            if whole:
                yield whole


def _filled(file: Path, areas: list[Area]) -> bytes:
    """Return a log's bytes without the zeros at its end: it is made 128 MiB long, nearly all of it a hole."""
    if not file.is_file():
        return bytes_of(file, areas)
    try:
        with file.open("rb") as opened:
            blocks = ((at, block.rstrip(b"\0")) for at, block in data_of(opened.fileno()))
            end = max((at + len(block) for at, block in blocks if block), default=0)
            return os.pread(opened.fileno(), end + _U32.size, 0)  # the last checksum may end with zeros
    except OSError:
        return bytes_of(file, areas)


def _mapped(file: Path, areas: list[Area]) -> Data:
    """Return a value log's bytes: they are looked up here and there."""
    if not file.is_file():
        return bytes_of(file, areas)
    try:
        with file.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # what is empty can't be mapped
        return bytes_of(file, areas)


def _version(key: bytes, meta: int, value: bytes, place: Place) -> tuple[Version, int]:
    number = _TS_MAX - int.from_bytes(key[-_TS_BYTES:])
    return Version(key[:-_TS_BYTES], number, None if meta & _DELETED else value, (place,)), meta


# ---- logs


def _log(file: Path, areas: list[Area]) -> Iterator[tuple[Version, int]]:
    data = _filled(file, areas)
    at = FILE_HEADER_BYTES
    while start := _NOT_ZERO.search(data, at):
        entry = _entry_at(data, at)
        if entry is None:
            end = _next_entry(data, start.start())
            areas.append(Area(Place(file.name, at, end), "no entry can be read here"))
            at = end
            continue
        if entry.key[:1] and entry.key[0] in _ROW_LETTERS:
            yield _version(entry.key, entry.meta, entry.value, Place(file.name, at, entry.end))
        at = entry.end


def _entry_at(data: Data, at: int) -> _LogEntry | None:
    """Return the entry of a log at a place, if its checksum is right."""
    try:
        key_bytes, place = varint(data, at + 2)
        value_bytes, place = varint(data, place)
        _, place = varint(data, place)
    except Damaged:
        return None
    end = place + key_bytes + value_bytes
    if not _TS_BYTES < key_bytes < _KEY_BYTES_MAX or end + _U32.size > len(data):
        return None
    if crc32c(data[at:end]) != _U32.unpack_from(data, end)[0]:
        return None
    middle = place + key_bytes
    return _LogEntry(data[at], data[place:middle], data[middle:end], end + _U32.size)


def _next_entry(data: bytes, start: int) -> int:
    """Return where the next entry stands, or the end."""
    at = start + 1
    # The second byte, Badger's room for its users, is always 0 here; so only places before a zero can be one.
    while (zero := data.find(b"\0", at + 1)) >= 0:
        if data[zero + 1 : zero + 2] > b"\x08" and _entry_at(data, zero - 1):
            return zero - 1
        at = zero
    return len(data)


def _from_value_log(version: Version, logs: dict[str, Data], areas: list[Area]) -> Version | None:
    number, size, at = _VALUE_POINTER.unpack((version.value or b"").ljust(_VALUE_POINTER.size, b"\0")[:12])
    name = f"{number:06}.vlog"
    entry = _entry_at(logs.get(name, b""), at)
    if entry is None or entry.key[:-_TS_BYTES] != version.key:
        areas.append(Area(Place(name, at, at + size), "a value can't be read here"))
        return None
    return version._replace(value=entry.value, places=(*version.places, Place(name, at, entry.end)))


# ---- tables


def _table(file: Path, areas: list[Area]) -> Iterator[tuple[Version, int]]:
    data = bytes_of(file, areas)
    stop = _data_end(data)
    if stop is None:
        areas.append(Area(Place(file.name, max(len(data) - 4, 0), len(data)), "the index can't be read"))
    at, end = 0, len(data) if stop is None else stop
    while at < end:
        block = _block_at(data, at, end)
        if block is None:
            start = at
            at = next(
                (place for place in range(at + 1, end) if _may_begin(data, place) and _block_at(data, place, end)), end
            )
            if stop is not None:
                areas.append(Area(Place(file.name, start, at), "no block can be read here"))
            continue
        text, after = block
        place = Place(file.name, at, after)
        yield from (_version(*row, place) for row in _rows(text) if row[0][0] in _ROW_LETTERS)
        at = after


def _data_end(data: bytes) -> int | None:
    """Return where the last block ends, which is where the index begins; None if that can't be read."""
    checksum_end = len(data) - _U32.size
    if checksum_end < 0:
        return None
    size_at = checksum_end - _U32.unpack_from(data, checksum_end)[0] - _U32.size
    if size_at < 0:
        return None
    start: int = size_at - _U32.unpack_from(data, size_at)[0]
    if start < 0 or not _is_checksum(data[size_at + _U32.size : checksum_end], data[start:size_at]):
        return None
    return start


def _is_checksum(message: bytes, data: bytes) -> bool:
    """Say whether a checksum message holds the CRC-32C of some bytes."""
    try:
        return message[:1] == bytes((_CHECKSUM_FIELD_SUM,)) and varint(message, 1) == (crc32c(data), len(message))
    except Damaged:
        return False


def _may_begin(data: bytes, at: int) -> bool:
    """Say whether a block may begin here, compressed or not: its first row shares nothing, and its key is a row's."""
    return _is_first_row(data, at) or any(_is_first_row(data, at + skip) for skip in (3, 4, 5, 6))


def _is_first_row(data: bytes, at: int) -> bool:
    return data[at : at + 2] == b"\0\0" and at + 4 < len(data) and data[at + 4] in _ROW_LETTERS


def _block_at(data: bytes, at: int, end: int) -> tuple[bytes, int] | None:
    """Return a block's rows and their offsets, and where the block ends, if its checksum is right."""
    try:
        text, after = decompress(data, at)
        if after <= end and (rows := _checked(text)) is not None:
            return rows, after
    except Damaged:
        pass
    return _raw_block(data, at, end) if _is_first_row(data, at) else None


def _raw_block(data: bytes, at: int, end: int) -> tuple[bytes, int] | None:
    """Return a block that isn't compressed: it ends where a length of a checksum follows the checksum."""
    for size in range(_BLOCK_TAIL_BYTES, end - at + 1):
        if data[at + size - 4 : at + size - 1] == b"\0\0\0" and (rows := _checked(data[at : at + size])) is not None:
            return rows, at + size
    return None


def _checked(block: bytes) -> bytes | None:
    """Return a block without its checksum, or None if that is wrong."""
    end = len(block) - _U32.size
    if end < _BLOCK_TAIL_BYTES - _U32.size:
        return None
    start = end - _U32.unpack_from(block, end)[0]
    return block[:start] if start > 0 and _is_checksum(block[start:end], block[:start]) else None


def _rows(block: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield key, meta and value of a block's rows."""
    count_at = len(block) - _U32.size
    (count,) = _U32.unpack_from(block, count_at)
    offsets = struct.unpack_from(f"<{count}I", block, count_at - 4 * count)
    first = b""
    for start, end in zip(offsets, (*offsets[1:], count_at - 4 * count), strict=True):
        shared, own = _ENTRY.unpack_from(block, start)
        at = start + _ENTRY.size
        key = first[:shared] + block[at : at + own]
        first = first or key
        at += own
        _, value_at = varint(block, at + 2)
        yield key, block[at], block[value_at:end]
