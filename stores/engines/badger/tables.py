"""Whether Badger's tables have their ends: it reads them in goroutines of its own, where a panic ends the process.

A table ends with its index, the index's length, a checksum, and the checksum's length (both 4 bytes, the highest
first): `table/builder.go` of Badger. What the checksum covers Badger checks itself, and says so.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from stores.contract import StoreDamaged, StoreUnavailable

_LENGTH = struct.Struct(">I")
_CHECKSUM_BYTES_MAX = 64
_MANIFEST_HEADER_BYTES = 8
_ID, _OPERATION, _DELETED = 1, 2, 1
_BYTES = 2
"""Fields of `ManifestChange` in Badger's `pb/badgerpb4.proto`, and the wire type of a nested message."""


def check_tables(folder: Path) -> None:
    """Raise StoreDamaged for a table that is none, or a log that is no file; StoreUnavailable."""
    named = _named_tables(folder / "MANIFEST")
    for file in sorted(path for path in folder.iterdir() if path.suffix in {".sst", ".mem", ".vlog"}):
        if not file.is_file():
            raise StoreDamaged(f"{file} of the Badger database is no file")
        try:
            with file.open("rb") as opened:
                if file.name in named and not _ends_well(opened, file.stat().st_size):
                    raise StoreDamaged(f"the table {file} of the Badger database is cut short, or no table")
        except OSError as error:
            raise StoreUnavailable(f"{file} can't be read: {error.strerror}", hint="correct its permissions") from error


def _ends_well(table: BinaryIO, size: int) -> bool:
    if size < 2 * _LENGTH.size:
        return False
    table.seek(-_LENGTH.size, SEEK_END)
    (checksum_bytes,) = _LENGTH.unpack(table.read())
    left = size - checksum_bytes - 2 * _LENGTH.size
    if not 0 < checksum_bytes <= _CHECKSUM_BYTES_MAX or left < 0:
        return False
    table.seek(left)
    (index_bytes,) = _LENGTH.unpack(table.read(_LENGTH.size))
    return bool(0 < index_bytes <= left)


def _named_tables(manifest: Path) -> set[str]:
    """Return the names of the tables in a MANIFEST, up to its first damage, of which Badger tells itself."""
    try:
        raw = manifest.read_bytes()
    except OSError:
        return set()
    named: set[str] = set()
    place = _MANIFEST_HEADER_BYTES
    while place + 2 * _LENGTH.size <= len(raw):
        (size,) = _LENGTH.unpack_from(raw, place)
        place += 2 * _LENGTH.size + size
        for _, change in _fields(raw[place - size : place]):
            values = dict(_fields(change)) if isinstance(change, bytes) else {}
            name = f"{values.get(_ID, 0)!s:0>6}.sst"
            named = named - {name} if values.get(_OPERATION) == _DELETED else named | {name}
    return named


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of a protobuf message's fields, as far as they can be read."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        value, place = _varint(message, place)
        if tag & 7 == _BYTES:
            yield tag >> 3, message[place : place + value]
            place += value
        elif tag & 7 == 0:
            yield tag >> 3, value
        else:
            return


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            break
        shift += 7
    return value, place
