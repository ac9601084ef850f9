"""The way back: a backup, and the increments that follow it, become a new database.

All files are checked before anything is made. The database is built beside its place and moved there when it is whole,
so that a restore that is interrupted leaves nothing that looks like a database. Positions are those of the backup, so
the positions that watchers and cursors hold stay right.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from google.protobuf.message import DecodeError

from protos.parity.v1.admin_pb2 import BackupBlock, BackupHeader, BackupRecord, BackupRemaining
from protos.parity.v1.event_pb2 import Cursor
from stores.backup.frames import BackupReader, BadBackupFile
from stores.backup.snapshot import CURSOR, FORMAT
from stores.canonical import canonical_bytes
from stores.contract import BatchOperation, Delete, InvalidStoreUrl, Put, Store, StoreUnavailable
from stores.files import make_folder
from stores.registry import open_store, parse_url, scheme_of
from stores.schema import KINDS

BATCH_OPERATIONS = 200
"""In one commit: they share an fsync, and a batch stays small beside the memory."""
LAST = "restored"
"""The id of what takes up the backup's last position for a moment, so that numbers go on behind it."""

CHECKING, RESTORING = "checking", "restoring"
Progress = Callable[[str, int, int], None]
"""Called with the stage, how many bytes of the files are read in it, and how many there are."""


def _untold(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Restored:
    """What came of a restore."""

    records: int = 0
    damages: list[str] = field(default_factory=list)
    """What couldn't be read of the files, where that was permitted."""
    missing: dict[str, int] = field(default_factory=dict)
    """By kind, how many resources the backup counted that aren't there."""
    changed: list[tuple[str, str]] = field(default_factory=list)
    """Kind and id of those that the target's codec couldn't keep whole."""
    contract: str = ""
    """The digest of the contract with which the last of the files was made."""

    @property
    def is_whole(self) -> bool:
        """Whether all that was backed up is there as it was."""
        return not (self.damages or self.missing or self.changed)


def check_file(path: Path, told: Callable[[int], None] = lambda _: None) -> BackupHeader:
    """Read a backup whole and return its header. Raises BadBackupFile, OSError. `told`: how many bytes are read."""
    with path.open("rb") as file:
        reader = BackupReader(file, str(path))
        _check_header(reader.header, path)
        for _ in reader.blocks():
            told(file.tell())
        return reader.header


def restore(files: Sequence[Path], url: str, *, partial: bool = False, progress: Progress = _untold) -> Restored:
    """Make a new database of a backup and its increments, in this order.

    Args:
        files: The backup, then the increments, each of which begins where the file before it ends.
        url: The store URL of the new database. There must be nothing at its path.
        partial: Take what can be read of a file that is cut or damaged, and say what is missing.
        progress: Is told how far it is.

    Raises:
        BadBackupFile: A file is no backup, is cut or damaged, or doesn't follow the one before it. Nothing was made.
        InvalidStoreUrl: The URL names no store that stays.
        StoreUnavailable: There is something at the path, or the target can't be written. Nothing was made.
        OSError: A file can't be read.
    """
    if partial and len(files) > 1:
        raise BadBackupFile(
            "a partial restore takes one file", hint="leave out the increments: they need all before them"
        )
    read = _Read(files, progress)
    headers = [_header_of(path) if partial else check_file(path, read.of(CHECKING, path)) for path in files]
    _check_chain(files, headers)
    restored = Restored(contract=headers[-1].contract)
    with _built_beside(url) as built, open_store(built, create=True) as store:
        for path in files:
            _apply(store, path, restored, read.of(RESTORING, path), partial=partial)
        for count in headers[-1].counts:
            lacking = count.resources - store.count(count.kind)
            if lacking:
                restored.missing[count.kind] = lacking
        if restored.missing and not partial:
            raise BadBackupFile(f"{files[-1]} counts other resources than the files hold: {restored.missing}")
        if not restored.damages and store.last_position() < headers[-1].position:
            marker = Put(CURSOR, LAST, Cursor(name=LAST), "absent", position=headers[-1].position)
            store.commit([marker, Delete(CURSOR, LAST)])
    return restored


class _Read:
    """How much of some files is read."""

    def __init__(self, files: Sequence[Path], progress: Progress) -> None:
        self._progress = progress
        self._before: dict[Path, int] = {}
        self._total = 0
        for path in files:
            self._before[path] = self._total
            self._total += path.stat().st_size if path.is_file() else 0

    def of(self, stage: str, path: Path) -> Callable[[int], None]:
        """Return what is to be called with the number of bytes read of one of them."""
        return lambda done: self._progress(stage, self._before[path] + done, self._total)


def _header_of(path: Path) -> BackupHeader:
    with path.open("rb") as file:
        header = BackupReader(file, str(path)).header
    _check_header(header, path)
    return header


def _check_header(header: BackupHeader, path: Path) -> None:
    if header.format != FORMAT:
        raise BadBackupFile(
            f"{path} has format {header.format}; this program reads format {FORMAT}",
            hint="restore it with the release that made it",
        )
    unknown = [count.kind for count in header.counts if count.kind not in KINDS and count.resources]
    if unknown:
        raise BadBackupFile(
            f"{path} holds {unknown[0]!r}, a kind that this program doesn't know",
            hint="restore it with a newer release",
        )


def _check_chain(files: Sequence[Path], headers: Sequence[BackupHeader]) -> None:
    position = 0
    for path, header in zip(files, headers, strict=True):
        if header.since_position != position:
            begins = f"begins behind position {header.since_position}" if header.since_position else "is a whole backup"
            needed = f"one that begins behind position {position}" if position else "a whole backup"
            raise BadBackupFile(
                f"{path} {begins}, but {needed} is needed here",
                hint="name the whole backup first, then its increments in the order in which they were taken",
            )
        position = header.position


def _apply(store: Store, path: Path, restored: Restored, told: Callable[[int], None], *, partial: bool) -> None:
    with path.open("rb") as file:
        reader = BackupReader(file, str(path))
        since = reader.header.since_position
        for block in reader.blocks(restored.damages.append if partial else None):
            _commit(store, _removals(store, block, since))
            _check_remaining(store, block, since, path)
            _commit(store, (_put_of(record, since, path) for record in block.records))
            if not store.capabilities.keeps_unknown_fields:
                restored.changed += [(each.kind, each.id) for each in block.records if not _is_kept(store, each)]
            restored.records += len(block.records)
            told(file.tell())


def _commit(store: Store, operations: Iterable[BatchOperation]) -> None:
    waiting = iter(operations)
    while batch := list(islice(waiting, BATCH_OPERATIONS)):
        store.commit(batch)


def _removals(store: Store, block: BackupBlock, since: int) -> Iterator[BatchOperation]:
    for name in block.removed:
        yield Delete(name.kind, name.id)
    for remaining in block.remaining:
        yield from _gone(store, remaining, since)


def _gone(store: Store, remaining: BackupRemaining, since: int) -> Iterator[BatchOperation]:
    stay = set(remaining.positions)
    for record in store.scan(remaining.kind):
        if record.position > since or record.position >= remaining.all_from:
            return
        if record.position not in stay:
            yield Delete(remaining.kind, record.id)


def _check_remaining(store: Store, block: BackupBlock, since: int, path: Path) -> None:
    """Raise BadBackupFile unless what is here is what remained: another database has other ids at these positions."""
    for remaining in block.remaining:
        if not remaining.ids_sha256:
            continue
        ids = hashlib.sha256()
        for record in store.scan(remaining.kind):
            if record.position > since:
                break
            ids.update(record.id.encode() + b"\n")
        if ids.digest() != remaining.ids_sha256:
            raise BadBackupFile(
                f"{path} doesn't follow the file before it: it speaks of another {remaining.kind} than is there",
                hint="name a backup and the increments of the same server's database, none left out",
            )


def _put_of(record: BackupRecord, since: int, path: Path) -> Put:
    try:
        message = KINDS[record.kind].message_type.FromString(record.data)
    except (KeyError, DecodeError) as error:
        raise BadBackupFile(f"{path}: {record.kind} {record.id!r} is no resource of a known kind") from error
    if record.position <= since:
        return Put(record.kind, record.id, message, "present", data=record.data)
    return Put(record.kind, record.id, message, "absent", data=record.data, position=record.position)


def _is_kept(store: Store, record: BackupRecord) -> bool:
    message_type = KINDS[record.kind].message_type
    kept = store.get_bytes(record.kind, record.id)
    return kept == record.data or (
        kept is not None
        and canonical_bytes(message_type.FromString(kept)) == canonical_bytes(message_type.FromString(record.data))
    )


@contextmanager
def _built_beside(url: str) -> Iterator[str]:
    """Give the URL of a database to be built in a folder of its own, and move it to its place if the block succeeds."""
    parsed = parse_url(url)
    if not scheme_of(parsed.scheme).needs_path or not parsed.path:
        raise InvalidStoreUrl(f"{url!r} names no database that stays", hint="for example leveldb:PATH or sqlite:FILE")
    place = Path(parsed.path)
    if place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir()))):
        raise StoreUnavailable(f"{place} is there already", hint="restore to a new path")
    make_folder(place.absolute().parent)
    folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.restoring-", dir=place.absolute().parent))
    try:
        yield str(replace(parsed, path=str(folder / place.name)))
        _move_all(folder, place.absolute())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_all(folder: Path, place: Path) -> None:
    """Move what was built, the database itself after all that lies beside it, and make that last."""
    if place.is_dir():
        place.rmdir()
    for file in sorted(folder.iterdir(), key=lambda file: file.name == place.name):
        file.rename(place.with_name(file.name))
    parent = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
