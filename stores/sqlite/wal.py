"""What SQLite's write-ahead log holds behind the place where its replay ends.

SQLite replays a log up to the first frame whose checksum is wrong, and takes what follows for the torn end of a
transaction that was never acknowledged. A torn end holds one transaction at most: the next one begins when the log was
synced. So a wrong frame with the frames of a whole other transaction behind it is damage.

The format: https://www.sqlite.org/fileformat.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from stores.contract import StoreDamaged
from stores.files import unreadable

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
_WORD = 0xFFFFFFFF
_PAGE_BYTES_MAX = 65536
"""A larger length in a damaged header would be so much memory."""

Sums = tuple[int, int]


class _Frame(NamedTuple):
    page: int
    commits: bool
    """The last frame of a transaction."""
    ours: bool
    """Written since the log last began anew; what stands behind such frames are leftovers."""
    whole: bool
    """The checksums of this frame and of all before it are right."""


def check_wal(log: Path) -> None:
    """Raise StoreDamaged if a log holds acknowledged transactions that SQLite won't replay; StoreUnavailable."""
    try:
        with log.open("rb") as file:
            _check(log, list(_frames(file)))
    except OSError as error:
        raise unreadable(str(log), error) from error


def _check(log: Path, frames: list[_Frame]) -> None:
    bad = next((number for number, frame in enumerate(frames) if not frame.whole), None)
    if bad is None:
        return
    behind = frames[bad:]
    last = max((number for number, frame in enumerate(behind) if frame.ours), default=-1)
    ends = [number for number, frame in enumerate(behind) if frame.ours and frame.commits]
    if ends and ends[0] < last:
        raise StoreDamaged(
            f"frame {bad + 1} of the write-ahead log {log} is damaged, and {len(ends)} transactions that were "
            "committed stand behind it"
        )


def _frames(file: BinaryIO) -> Iterator[_Frame]:
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        return
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack(head)
    order = {_MAGIC_LITTLE: "<", _MAGIC_BIG: ">"}.get(magic) if page_bytes <= _PAGE_BYTES_MAX else None
    size = _FRAME.size + page_bytes
    sums: Sums | None = None
    if order is not None and page_bytes % 8 == 0:
        sums = _added((0, 0), head[:24], order)
        if sums != (sum_1, sum_2):
            sums = None
    while order is not None and len(raw := file.read(size)) == size:
        page, pages_after, *salts, end_1, end_2 = _FRAME.unpack_from(raw)
        ours = tuple(salts) == (salt_1, salt_2)
        if sums is not None and ours:
            sums = _added(_added(sums, raw[:8], order), raw[_FRAME.size :], order)
        if not ours or sums != (end_1, end_2):
            sums = None
        yield _Frame(page, pages_after != 0, ours, sums is not None)


def _added(sums: Sums, data: bytes, order: str) -> Sums:
    """Go on with SQLite's checksum over more bytes, a multiple of eight."""
    one, two = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = one + first + two & _WORD
        two = two + second + one & _WORD
    return one, two
