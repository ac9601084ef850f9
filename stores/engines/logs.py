"""The write-ahead logs of LevelDB and RocksDB, read before the driver replays and removes them.

Both write the same form: blocks of 32 KiB with records, each with a checksum; a batch is one record, or several where
it crosses blocks. A log whose end is torn is what a loss of power leaves of a batch that was never acknowledged. A
damaged record with the beginning of another batch behind it is damage: the next batch begins when this one is synced.

The form: https://github.com/google/leveldb/blob/main/doc/log_format.md, and for a batch `db/write_batch.cc`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from google_crc32c import value as crc32c

from stores.contract import StoreDamaged
from stores.files import unreadable

_BLOCK_BYTES = 32 * 1024
_RECORD = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_TYPE_MAX = 13
"""Of RocksDB; LevelDB has the four above."""
_MASK_DELTA = 0xA282EAD8
_WORD = 0xFFFFFFFF
_BATCH_HEADER_BYTES = 12
_DELETED, _WRITTEN = 0, 1


class _Record(NamedTuple):
    place: int
    type: int
    data: bytes
    whole: bool
    possible: bool = True
    """An engine may have written this header; a part of it that is lost is zeros."""


@dataclass(frozen=True, slots=True)
class Log:
    """What stands in a log: its first and last batch that are whole, and where it is torn."""

    first_batch: bytes = b""
    last_batch: bytes = b""
    torn_at: int | None = None
    goes_on: bool = False
    """Another batch begins behind the torn place."""
    is_foreign: bool = False
    """At the torn place stands what no engine writes. RocksDB takes minutes to read megabytes of it."""


def check_logs(folder: Path, *, strict: bool) -> bool:
    """Return whether a log is torn; with `strict` at its end only. Raises StoreDamaged, StoreUnavailable.

    A relaxed store isn't strict: what it wrote and didn't sync goes with the power in any order.
    """
    torn = False
    for path in log_files(folder):
        log = read_log(path)
        if log.goes_on and strict:
            raise StoreDamaged(f"the log {path} is damaged at byte {log.torn_at}, and was written on behind it")
        _check_own(path, log)
        torn = torn or log.torn_at is not None
    return torn


def check_manifest(folder: Path) -> None:
    """Raise StoreDamaged if something stands in the MANIFEST that no engine writes; StoreUnavailable.

    It has the form of a log. All other damage to it the engines notice.
    """
    for path in folder.glob("MANIFEST-*"):
        _check_own(path, read_log(path))


def _check_own(path: Path, log: Log) -> None:
    if log.is_foreign:
        raise StoreDamaged(f"{path} is damaged: no database wrote what stands in it from byte {log.torn_at} on")


def log_files(folder: Path) -> list[Path]:
    """Return the logs of a folder, in the order in which they were written. Raises StoreDamaged."""
    logs = sorted((path for path in folder.glob("*.log") if path.stem.isdigit()), key=lambda path: int(path.stem))
    for path in logs:
        if not path.is_file():
            raise StoreDamaged(f"the log {path} is no file")
    return logs


def read_log(path: Path) -> Log:
    """Read a log. Raises StoreUnavailable."""
    try:
        status = path.stat()
        return _read(path, status.st_size, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise unreadable(f"the log {path}", error) from error


@lru_cache(maxsize=8)
def _read(path: Path, size: int, mtime_ns: int, inode: int) -> Log:  # noqa: ARG001 - they say that it is the same
    """Read a log that has these attributes: it is asked for before the driver opens, and again by the engine."""
    first, last, parts, torn_at, is_foreign, begun_at = b"", b"", [b""], None, False, None
    records = _records(path.read_bytes())
    for record in records:
        if not record.whole:
            torn_at, is_foreign = record.place, not record.possible
            break
        if record.type in {_FULL, _FIRST}:
            parts, begun_at = [], record.place
        parts.append(record.data)
        if record.type in {_FULL, _LAST}:
            last, parts, begun_at = b"".join(parts), [], None
            first = first or last
    else:
        torn_at = begun_at  # cut between two records of one batch
    goes_on = any(record.whole and record.type in {_FULL, _FIRST} for record in records)
    return Log(first, last, torn_at, goes_on, is_foreign)


def _records(raw: bytes) -> Iterator[_Record]:
    """Yield all records; behind a damaged one, those at the place where its length says and in the next blocks."""
    place = 0
    while place + _RECORD.size <= len(raw):
        block_end = place - place % _BLOCK_BYTES + _BLOCK_BYTES
        if block_end - place < _RECORD.size:
            place = block_end
            continue
        checksum, size, kind = _RECORD.unpack_from(raw, place)
        start, end = place + _RECORD.size, place + _RECORD.size + size
        if kind == size == checksum == 0:  # room that was set aside and never written
            if any(raw[place:block_end]):
                yield _Record(place, 0, b"", whole=False)
            place = block_end
            continue
        data = raw[start:end]
        whole = end <= block_end and len(data) == size and _masked(crc32c(raw[start - 1 : end])) == checksum
        yield _Record(place, kind, data, whole, possible=end <= block_end and kind <= _TYPE_MAX)
        place = min(end, block_end)
    if any(raw[place:]):
        yield _Record(place, 0, b"", whole=False)


def _masked(checksum: int) -> int:
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & _WORD


def value_in(batch: bytes, wanted: bytes) -> bytes | None:
    """Return what a batch writes last under a key; None if it doesn't, or has operations of another sort."""
    place, value = _BATCH_HEADER_BYTES, None
    while place < len(batch):
        operation = batch[place]
        if operation not in {_DELETED, _WRITTEN}:
            return None
        key, place = _text(batch, place + 1)
        if operation == _WRITTEN:
            data, place = _text(batch, place)
            if key == wanted:
                value = data
    return value


def _text(batch: bytes, place: int) -> tuple[bytes, int]:
    size = shift = 0
    while True:
        byte = batch[place]
        place += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            return batch[place : place + size], place + size
        shift += 7
