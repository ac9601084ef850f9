"""The blocks of LevelDB's and RocksDB's tables, found without an index, and the rows in them.

A block is its contents, a byte that says how they are compressed, and four bytes of checksum
(https://github.com/google/leveldb/blob/main/doc/table_format.md). Where one ends is where the checksum fits. So a
damaged block, or a damaged index, costs what stands in it and no more.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from stores.salvage.snappy import decompress
from stores.salvage.versions import Damaged, varint

TRAILER_BYTES = 5
RAW, SNAPPY = 0, 1
SEARCHED_BYTES_MAX = 256 * 1024
"""How long a block may be for its beginning to be found behind damage: 4 KiB, and one row that is larger."""
KEY_BYTES_MIN = 9
"""A key of the layout and the eight bytes of its sequence number."""
_BLOCK_BYTES_MIN = 8
KINDS = re.compile(rb"[\x00\x01]")
"""Finds the bytes that can say how a block is compressed."""
_U32 = struct.Struct("<I")
_RESTARTS_MASK = 0x7FFFFFFF
"""RocksDB keeps a flag in the highest bit."""


class Checksum(Protocol):
    """The checksum of one table's blocks, computed along a block."""

    def begin(self, start: int) -> None:
        """Begin at the first byte of a block."""
        ...

    def feed(self, data: bytes) -> None:
        """Go on along the block."""
        ...

    def of(self, kind: int) -> int:
        """Return the stored checksum of a block that ends here, with this kind of compression."""
        ...


class Block(NamedTuple):
    """Where a block's contents stand, and what they are, decompressed."""

    start: int
    end: int
    contents: bytes


def block_at(data: bytes, start: int, checksum: Checksum, bytes_max: int) -> Block | None:
    """Return the block that begins at a place, if one does."""
    checksum.begin(start)
    fed = start
    for match in KINDS.finditer(data, start + _BLOCK_BYTES_MIN, min(start + bytes_max, len(data) - 4)):
        end = match.start()
        checksum.feed(data[fed:end])
        fed = end
        if _U32.unpack_from(data, end + 1)[0] == checksum.of(data[end]):
            try:
                return Block(start, end, decompressed(data[start:end], data[end]))
            except Damaged:
                continue
    return None


def decompressed(contents: bytes, kind: int) -> bytes:
    """Return a block's contents without compression. Raises Damaged."""
    if kind == RAW:
        return contents
    if kind != SNAPPY:
        raise Damaged(f"a block is compressed in a way of its own ({kind})")
    text, end = decompress(contents)
    if end != len(contents):
        raise Damaged("a block goes on behind its text")
    return text


def find_blocks(data: bytes, stop: int, checksum: Checksum) -> Iterator[Block | tuple[int, int]]:
    """Yield the blocks up to a place, and in between where (from, to) there is none."""
    at = 0
    while at < stop:
        block = block_at(data, at, checksum, len(data))
        if block is None:
            found = _next_block(data, at + 1, stop, checksum)
            yield at, stop if found is None else found.start
            if found is None:
                return
            block = found
        yield block
        at = block.end + TRAILER_BYTES


def _next_block(data: bytes, start: int, stop: int, checksum: Checksum) -> Block | None:
    for at in range(start, stop):
        if may_begin(data, at):
            block = block_at(data, at, checksum, SEARCHED_BYTES_MAX)
            if block is not None:
                return block
    return None


def may_begin(data: bytes, at: int) -> bool:
    """Say whether a block of rows may begin here: its first key shares nothing with one before, and isn't empty."""
    if at + 2 >= len(data):
        return False
    if data[at] == 0 and data[at + 1] >= KEY_BYTES_MIN:
        return True
    try:
        _, tag = varint(data, at)
    except Damaged:
        return False
    if tag + 8 >= len(data) or data[tag] & 3:
        return False
    extra = max((data[tag] >> 2) - 59, 0)
    text = tag + 1 + extra
    return text + 1 < len(data) and data[text] == 0 and data[text + 1] >= KEY_BYTES_MIN


def rows_of(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block; keys are written as what differs from the one before. Raises Damaged."""
    if len(contents) < 4:  # noqa: PLR2004 - the number of restarts
        raise Damaged("a block without restarts")
    restarts = _U32.unpack_from(contents, len(contents) - 4)[0] & _RESTARTS_MASK
    stop = len(contents) - 4 * (restarts + 1)
    if stop < 0:
        raise Damaged("a block of restarts")
    at, key = 0, b""
    while at < stop:
        shared, at = varint(contents, at)
        own, at = varint(contents, at)
        size, at = varint(contents, at)
        if shared > len(key) or at + own + size > stop:
            raise Damaged("a row ends behind its block")
        key = key[:shared] + contents[at : at + own]
        at += own
        yield key, contents[at : at + size]
        at += size
