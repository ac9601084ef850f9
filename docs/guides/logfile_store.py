"""A complete store of one's own: an engine that appends each write to a file and keeps the rows in memory."""

import os
import threading
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson
from sortedcontainers import SortedDict

from stores.codecs import codec_of
from stores.contract import Access, Durability, SizeOnDisk, Store, StoreNotFound, StoreUnavailable
from stores.files import FileLock, make_folder, size_of
from stores.keyvalue.store import KeyValueStore
from stores.registry import Option, Options, Scheme
from stores.schema import Schema
from stores.suite.dict_engine import DictSnapshot


class LogFileEngine:
    """One line per write: a checksum, and the changed rows as JSON. Opening replays all whole lines."""

    name = "logfile"
    has_checksums = True

    def __init__(self, folder: Path, access: Access = Access.CREATE) -> None:
        """Open the log, and make it if that is asked for. Raises StoreNotFound, StoreLocked, StoreUnavailable."""
        self.tunables: Mapping[str, str] = {}
        self._folder = folder
        self._rows: SortedDict[bytes, bytes] = SortedDict()
        self._changing = threading.Lock()
        if access is Access.CREATE:
            make_folder(folder)
        elif not (folder / "log").exists():
            raise StoreNotFound(f"there is no log in {folder}")
        reading = access is Access.READ
        self._lock = FileLock(folder / "lock", shared=reading)
        whole = self._replay(folder / "log")
        self._file = os.open(folder / "log", os.O_RDONLY if reading else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if not reading:
            os.truncate(self._file, whole)

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, never in the middle of a write."""
        with self._changing:
            value: bytes | None = self._rows.get(key)
        return value

    def snapshot(self) -> DictSnapshot:
        """Return the newest state: a copy, which is simple and slow."""
        with self._changing:
            return DictSnapshot(self._rows.copy())

    def write(self, changes: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
        """Append one line, sync it, then change the rows."""
        rows = [(key.hex(), None if value is None else value.hex()) for key, value in changes]
        try:
            _append(self._file, _line(rows))
            if sync:
                os.fdatasync(self._file)
        except OSError as error:
            raise StoreUnavailable(f"the log {self._folder} can't be written: {error}") from error
        self._apply(rows)

    def size_on_disk(self) -> SizeOnDisk:
        """Return the bytes that the log takes."""
        return size_of(self._folder / "log")

    def compact(self) -> None:
        """Write a new log with the present rows only, and let it take the old one's place."""
        new = os.open(self._folder / "new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        _append(new, _line([(key.hex(), value.hex()) for key, value in self._rows.items()]))
        os.fsync(new)
        (self._folder / "new").replace(self._folder / "log")
        os.close(self._file)
        self._file = new

    def close(self) -> None:
        """Release file and lock."""
        os.close(self._file)
        self._lock.release()

    def _replay(self, log: Path) -> int:
        whole = 0
        for line in (log.read_bytes() if log.exists() else b"").splitlines(keepends=True):
            checksum, _, body = line.partition(b" ")
            if not line.endswith(b"\n") or f"{zlib.crc32(body):08x}".encode() != checksum:
                break  # the process was killed while it wrote this line: it was never acknowledged
            self._apply(orjson.loads(body))
            whole += len(line)
        return whole

    def _apply(self, rows: list[tuple[str, str | None]]) -> None:
        with self._changing:
            for key, value in rows:
                if value is None:
                    self._rows.pop(bytes.fromhex(key), None)
                else:
                    self._rows[bytes.fromhex(key)] = bytes.fromhex(value)


def _line(rows: list[tuple[str, str | None]]) -> bytes:
    body = orjson.dumps(rows) + b"\n"
    return f"{zlib.crc32(body):08x} ".encode() + body


def _append(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]


def _open(path: str, options: Options, schema: Schema, access: Access) -> Store:
    engine = LogFileEngine(Path(path), access)
    return KeyValueStore(engine, codec_of(options["codec"]), Durability(options["durability"]), schema, access)


OPTIONS = (Option("codec", ("protobuf", "json"), "protobuf"), Option("durability", ("durable", "relaxed"), "durable"))
SCHEME = Scheme("logfile", "an append-only file, for learning", _open, OPTIONS)
