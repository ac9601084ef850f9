"""RocksDB's files: tables (`.sst`) and logs (`.log`), each read alone; neither CURRENT nor MANIFEST is asked.

Tables of the formats 3 to 7, uncompressed or snappy, with checksums by CRC-32C or XXH3
(https://github.com/facebook/rocksdb/blob/main/table/format.cc). From format 6 on a checksum also depends on the block's
place and on a number in the table's footer; where that is damaged, the number is the one on which two blocks agree.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import xxhash

from stores.salvage.blocks import (
    KINDS,
    SEARCHED_BYTES_MAX,
    TRAILER_BYTES,
    Block,
    Checksum,
    block_at,
    find_blocks,
    may_begin,
    rows_of,
)
from stores.salvage.leveldb import Crc32c, versions_of
from stores.salvage.log_files import LogReader
from stores.salvage.versions import Area, Damaged, Place, Version, bytes_of, varint

MAGIC = 0x88E241B785F4CFF7
FOOTER_BYTES = 53
_CRC32C = 1
_XXH3 = 4
_FORMAT_WITH_PLACES = 6
_LAST_BYTE_FACTOR = 0x6B9083D9
"""What RocksDB multiplies the kind of compression with (`ModifyChecksumForLastByte`)."""
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_NEW_FOOTER = struct.Struct("<4sIII")
"""Mark, the footer's own checksum, the number that checksums depend on, and the size of the block before the footer."""
_STARTS_TRIED_MAX = 100


class Xxh3:
    """See `Checksum`: the lower half of XXH3, changed by the kind of compression, and by the block's place."""

    def __init__(self, base: int) -> None:
        """Take the footer's number; 0 in formats without one."""
        self.base = base

    def begin(self, start: int) -> None:
        """See `Checksum`."""
        self._hash = xxhash.xxh3_64()
        self._place = _place_part(start)

    def feed(self, data: bytes) -> None:
        """See `Checksum`."""
        self._hash.update(data)

    def plain(self, kind: int) -> int:
        """Return the checksum apart from what depends on the place."""
        return (self._hash.intdigest() ^ kind * _LAST_BYTE_FACTOR) & 0xFFFFFFFF

    def of(self, kind: int) -> int:
        """See `Checksum`."""
        modifier = self.base ^ self._place if self.base else 0
        return (self.plain(kind) + modifier) & 0xFFFFFFFF


def _place_part(start: int) -> int:
    return ((start & 0xFFFFFFFF) + (start >> 32)) & 0xFFFFFFFF


def read_rocksdb(folder: Path, areas: list[Area]) -> Iterator[Version]:
    """See `Reader`."""
    for file in sorted(folder.iterdir()):
        if re.fullmatch(r"\d+\.sst", file.name):
            yield from _table(file, areas)
        elif re.fullmatch(r"\d+\.log", file.name):
            yield from LogReader(file.name, bytes_of(file, areas), areas).versions()


def _table(file: Path, areas: list[Area]) -> Iterator[Version]:
    data = bytes_of(file, areas)
    checksum = _checksum_of(data)
    stop = None if checksum is None else _data_end(data, checksum)
    if stop is None:
        reason = "the table's description of itself can't be read"
        areas.append(Area(Place(file.name, max(len(data) - FOOTER_BYTES, 0), len(data)), reason))
    checksum = checksum or _guessed_checksum(data)
    for block in find_blocks(data, len(data) if stop is None else stop, checksum) if checksum else ():
        if isinstance(block, Block):
            yield from versions_of(block, file.name)
        elif stop is not None:
            areas.append(Area(Place(file.name, *block), "no block can be read here"))


def _checksum_of(data: bytes) -> Checksum | None:
    """Return the table's checksum by its footer, or None if the footer can't be read."""
    footer = data[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or _U64.unpack_from(footer, FOOTER_BYTES - 8)[0] != MAGIC:
        return None
    (version,) = _U32.unpack_from(footer, FOOTER_BYTES - 12)
    base = _NEW_FOOTER.unpack_from(footer, 1)[2] if version >= _FORMAT_WITH_PLACES else 0
    if footer[0] == _XXH3:
        return Xxh3(base)
    return Crc32c() if footer[0] == _CRC32C and not base else None


def _data_end(data: bytes, checksum: Checksum) -> int | None:
    """Return where the last block of rows ends, by the table's properties; None if they can't be read."""
    try:
        start, size = _metaindex(data)
        metaindex = block_at(data, start, checksum, size + 1)
        if metaindex is None:
            return None
        handle = dict(rows_of(metaindex.contents))[b"rocksdb.properties"]
        start, at = varint(handle, 0)
        properties = block_at(data, start, checksum, varint(handle, at)[0] + 1)
        if properties is None:
            return None
        return varint(dict(rows_of(properties.contents))[b"rocksdb.data.size"], 0)[0]
    except (Damaged, KeyError):
        return None


def _metaindex(data: bytes) -> tuple[int, int]:
    """Return where the block stands that names the others, and how long it is. Raises Damaged."""
    footer = data[-FOOTER_BYTES:]
    if _U32.unpack_from(footer, FOOTER_BYTES - 12)[0] >= _FORMAT_WITH_PLACES:
        size = int(_NEW_FOOTER.unpack_from(footer, 1)[3])
        return len(data) - FOOTER_BYTES - size - TRAILER_BYTES, size
    start, at = varint(footer, 1)
    return start, varint(footer, at)[0]


def _guessed_checksum(data: bytes) -> Checksum | None:
    """Return the checksum of a table without footer: one that is right for a block, or for two; or None."""
    starts = [at for at in range(len(data)) if may_begin(data, at)][:_STARTS_TRIED_MAX]
    for start in starts:
        for checksum in (Xxh3(0), Crc32c()):
            if _has_rows(data, start, checksum):
                return checksum
        for end, base in _bases(data, start).items():
            following = end + TRAILER_BYTES
            if may_begin(data, following) and base in _bases(data, following).values():
                checksum = Xxh3(base)
                if _has_rows(data, start, checksum) and _has_rows(data, following, checksum):
                    return checksum
    return None


def _has_rows(data: bytes, start: int, checksum: Checksum) -> bool:
    """Say whether a block that can be read as rows begins at a place. Of many numbers, some fit by chance."""
    block = block_at(data, start, checksum, SEARCHED_BYTES_MAX)
    try:
        return block is not None and any(rows_of(block.contents))
    except Damaged:
        return False


def _bases(data: bytes, start: int) -> dict[int, int]:
    """Return, for each place at which a block may end, the footer's number under which its checksum is right."""
    plain, fed, bases = Xxh3(0), start, {}
    plain.begin(start)
    for match in KINDS.finditer(data, start + 8, min(start + SEARCHED_BYTES_MAX, len(data) - 4)):
        end = match.start()
        plain.feed(data[fed:end])
        fed = end
        modifier = (_U32.unpack_from(data, end + 1)[0] - plain.plain(data[end])) & 0xFFFFFFFF
        bases[end] = modifier ^ _place_part(start)
    return bases
