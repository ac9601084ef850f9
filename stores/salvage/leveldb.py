"""LevelDB's files: tables (`.ldb`, `.sst`) and logs (`.log`), each read alone; neither CURRENT nor MANIFEST is asked.

Sequence numbers tell which version of a row is the newest, whichever file it stands in.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from google_crc32c import extend

from stores.salvage.blocks import TRAILER_BYTES, Block, block_at, find_blocks, rows_of
from stores.salvage.log_files import LogReader, masked
from stores.salvage.versions import Area, Damaged, Place, Version, bytes_of, varint

FOOTER_BYTES = 48
MAGIC = 0xDB4775248B80FB57
_U64 = struct.Struct("<Q")
_DELETION = 0


class Crc32c:
    """See `Checksum`: of the contents and the byte behind them, masked."""

    def begin(self, start: int) -> None:  # noqa: ARG002 - where a block stands doesn't matter
        """See `Checksum`."""
        self._crc = 0

    def feed(self, data: bytes) -> None:
        """See `Checksum`."""
        self._crc = extend(self._crc, data)

    def of(self, kind: int) -> int:
        """See `Checksum`."""
        return masked(extend(self._crc, bytes((kind,))))


def read_leveldb(folder: Path, areas: list[Area]) -> Iterator[Version]:
    """See `Reader`."""
    for file in sorted(folder.iterdir()):
        if re.fullmatch(r"\d+\.(ldb|sst)", file.name):
            yield from _table(file, areas)
        elif re.fullmatch(r"\d+\.log", file.name):
            yield from LogReader(file.name, bytes_of(file, areas), areas).versions()


def _table(file: Path, areas: list[Area]) -> Iterator[Version]:
    data = bytes_of(file, areas)
    stop = _data_end(data)
    if stop is None:
        areas.append(Area(Place(file.name, max(len(data) - FOOTER_BYTES, 0), len(data)), "the index can't be read"))
    for block in find_blocks(data, len(data) if stop is None else stop, Crc32c()):
        if isinstance(block, Block):
            yield from versions_of(block, file.name)
        elif stop is not None:
            areas.append(Area(Place(file.name, *block), "no block can be read here"))


def _data_end(data: bytes) -> int | None:
    """Return where the last block of rows ends, by the index; None if that can't be read."""
    if len(data) < FOOTER_BYTES or _U64.unpack_from(data, len(data) - 8)[0] != MAGIC:
        return None
    try:
        footer = data[-FOOTER_BYTES:]
        at = varint(footer, varint(footer, 0)[1])[1]
        start, at = varint(footer, at)
        size, _ = varint(footer, at)
        index = block_at(data, start, Crc32c(), size + 1)
        if index is None:
            return None
        ends = [sum(_handle(value)) + TRAILER_BYTES for _, value in rows_of(index.contents)]
    except Damaged:
        return None
    return max(ends, default=0)


def _handle(value: bytes) -> tuple[int, int]:
    """Return where a block stands and how long it is."""
    start, at = varint(value, 0)
    size, _ = varint(value, at)
    return start, size


def versions_of(block: Block, name: str) -> Iterator[Version]:
    """Yield the rows of a block whose keys end with sequence number and sort, as LevelDB and RocksDB write them."""
    place = (Place(name, block.start, block.end + TRAILER_BYTES),)
    try:
        rows = list(rows_of(block.contents))
    except Damaged:
        return  # a block of another sort, such as a filter: its checksum fits
    for key, value in rows:
        if len(key) > _U64.size:
            mark = _U64.unpack_from(key, len(key) - _U64.size)[0]
            removed = mark & 0xFF in _REMOVALS
            yield Version(key[: -_U64.size], mark >> 8, None if removed else value, place)


_REMOVALS = frozenset({_DELETION, 7})
"""Sorts of rows that remove a key; 7 is RocksDB's removal of a key that was written once."""
