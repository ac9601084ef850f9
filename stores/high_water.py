"""The high-water mark: what was acknowledged as durable, in a small file beside the database.

A log that ends early looks like a log that was never longer. So after each durable commit a store writes its last
position, last revision and number of resources here, and a database that comes back with less is refused. The write
waits for no disk: the mark may be older than the database (the process or the power ended in between), never newer.

A relaxed store asks the mark and doesn't raise it, for what it acknowledges may go with the power.

A mark that is missing says nothing: who put back an older copy on purpose removes it. One that is there and can't be
read was damaged, and the database is refused, for no crash leaves such: the first mark of a database is written and
synced under another name, and each later one lies in the same sector, of which a disk writes all or nothing.

What each engine notices by itself, and what the mark is there for:

LevelDB
    notices damaged blocks and MANIFEST, missing tables, and with paranoid checks a damaged log. It doesn't notice a log
    that is missing, or cut between two entries or in the last one, and makes a new database where `CURRENT` is missing
    (`engines/folders.py` looks first).
RocksDB
    notices the same, and is asked to refuse what stands behind a damaged entry of the log (`engines/rocksdb.py`). It
    doesn't notice a log that is missing or cut at its end.
SQLite
    notices broken trees when it meets them (`sqlite/examination.py`), and nothing of its log; what was written behind a
    damaged frame is found by `sqlite/wal.py`, a changed byte in a message by our checksum. It doesn't notice a log that
    is missing or cut, an older file, or another database's file under its log: so a database has a number of its own,
    and the mark says which.
LMDB
    notices missing root pages, and nothing else: `engines/lmdb_pages.py` looks first whether all pages are there and in
    their places. A changed byte in a message is found by our checksum. It doesn't notice an older file.
BadgerDB
    notices damaged tables, MANIFEST and values. It doesn't notice a memory table's log that ends early.

What isn't noticed: a database that is replaced as a whole by one that is as far or farther (of LMDB that is one file);
a file of LevelDB's, RocksDB's or Badger's that is replaced by one of another database with as many resources, all at
the same positions; a value log of Badger's that is replaced by another database's: it holds what is larger than
1 MiB, and Badger doesn't ask whose it is; and a log that ends early, between two entries, where the mark is lost as
well, or came back from an older copy.
"""

from __future__ import annotations

import errno
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stores.contract import StoreDamaged
from stores.files import unreadable
from stores.format import checksum_of

FOLDER_MARK = "parity.mark"
"""The mark's name in an engine's folder."""
FILE_MARK = ".mark"
"""What the mark's name ends with beside a database that is a file."""
_MAGIC = b"ptymark1"
_MARK = struct.Struct(">8s3QII")
_CHECKSUM = struct.Struct(">I")
_WRITTEN = os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK


class HighWater(NamedTuple):
    """The last position and revision given out, and how many resources there are."""

    position: int
    revision: int
    resources: int

    def is_above(self, other: HighWater) -> bool:
        """Say whether `other` is an older state: a write raises the revision, a deletion only lowers the number."""
        return (self.position, self.revision, -self.resources) > (other.position, other.revision, -other.resources)


class Mark(NamedTuple):
    """What a mark says: the state, the checksum of the database's meta row, and whether the database was closed."""

    high_water: HighWater
    meta_checksum: int
    closed: bool

    def is_of(self, meta: bytes) -> bool:
        """Say whether the mark is that of a database with this meta row: format and codec."""
        return self.meta_checksum == checksum_of(meta)


class HighWaterMark:
    """The mark of one database. Used by one thread at a time."""

    def __init__(self, path: Path, meta: bytes, *, durable: bool, writable: bool) -> None:
        """Take the mark's path, the database's meta row, and what the store may do. Raises as `read_mark`."""
        self._path = path
        self._meta_checksum = checksum_of(meta)
        self._durable = durable
        self._writable = writable
        self._file = -1
        found = read_mark(path)
        self._reached = HighWater(0, 0, 0) if found is None else found.high_water
        self._found_checksum = self._meta_checksum if found is None else found.meta_checksum

    def check(self, found: HighWater) -> None:
        """Compare a database that was just opened. Raises StoreDamaged if it is older than the mark."""
        if self._reached.is_above(found):
            raise StoreDamaged(
                f"the database is older than what was acknowledged: it holds {_told(found)}, but {self._path} says "
                f"{_told(self._reached)}",
                hint=f"{StoreDamaged.hint}; where an older copy was put back on purpose, remove {self._path}",
            )

    def check_identity(self, identity: bytes) -> None:
        """Note what names the database beside its meta row. Raises StoreDamaged if the mark is another database's.

        A mark of an earlier release names none.
        """
        named = checksum_of(identity)
        if self._found_checksum not in {self._meta_checksum, named}:
            raise StoreDamaged(
                f"the database isn't the one that {self._path} was written beside: its file was replaced by another's",
                hint=f"put the right file back; where it was replaced on purpose, remove {self._path}",
            )
        self._meta_checksum = self._found_checksum = named

    def raise_to(self, reached: HighWater) -> None:
        """Note what was committed; a relaxed store notes that it is open, and nothing else."""
        if self._durable:
            self._reached = reached
        elif self._file >= 0:
            return
        self._write(closed=False)

    def forget(self) -> None:
        """Remove the mark, for one who has changed the database behind the store. Raises OSError."""
        self._reached = HighWater(0, 0, 0)
        self._let_go()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Note that the database was closed, if anything was committed. Twice is no error."""
        if self._file >= 0:
            self._write(closed=True)
            self._let_go()
        self._writable = False

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, *, closed: bool) -> None:
        """Write the mark. Where that can't be done it is left alone: what was committed holds without it."""
        if not self._writable:
            return
        body = _MARK.pack(_MAGIC, *self._reached, self._meta_checksum, closed)
        mark = body + _CHECKSUM.pack(checksum_of(body))
        try:
            if self._file >= 0:
                os.pwrite(self._file, mark, 0)
            elif self._path.exists():
                self._file = os.open(self._path, _WRITTEN)
                os.pwrite(self._file, mark, 0)
            else:
                self._file = _first(self._path, mark)
        except OSError:
            self._writable = False


def read_mark(path: Path) -> Mark | None:
    """Return what a mark says, or None if there is none.

    Raises StoreDamaged for one that isn't as it was written, and StoreUnavailable for one that may not be read.
    """
    try:
        if not path.exists():
            return None
        raw = path.read_bytes() if path.is_file() else b""  # a pipe would be waited for
    except OSError as error:
        if error.errno == errno.EIO:
            raise _damaged(path, "the disk can't read it") from error
        raise unreadable(str(path), error) from error
    body, checksum = raw[: _MARK.size], raw[_MARK.size :]
    if len(body) < _MARK.size or checksum != _CHECKSUM.pack(checksum_of(body)) or not body.startswith(_MAGIC):
        raise _damaged(path, "it isn't as it was written")
    _, position, revision, resources, meta_checksum, closed = _MARK.unpack(body)
    return Mark(HighWater(position, revision, resources), meta_checksum, bool(closed))


def _first(path: Path, mark: bytes) -> int:
    """Write a mark where none is; return its open file. Raises OSError.

    At its path there is never part of it, whenever the power fails: it gets its name when its bytes are lasting.
    """
    new = path.with_name(path.name + ".new")
    file = os.open(new, _WRITTEN | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.pwrite(file, mark, 0)
        os.fsync(file)
        new.rename(path)
    except OSError:
        os.close(file)
        with suppress(OSError):
            new.unlink()
        raise
    return file


def _damaged(path: Path, what: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged: {what}, and it says how much was acknowledged, so the database may be older than that",
        hint=f"restore a backup; or remove {path}, and the database opens with what it has: "
        "`parity stores verify URL` says whether that holds together",
    )


def _told(state: HighWater) -> str:
    return f"{state.resources} resources, position {state.position}, revision {state.revision}"
