"""The files of an SQLite store: whether there is a database, and one that can be read without changing anything."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from stores.contract import Access, FormatMismatch, StoreDamaged, StoreNotFound
from stores.files import check_apart, make_folder, unreadable
from stores.high_water import FILE_MARK
from stores.shadow import Shadow

WAL = "-wal"
SHARED_MEMORY = "-shm"
JOURNAL = "-journal"
LOCK = ".lock"
_MAGIC = b"SQLite format 3\0"
"""What a database begins with: https://www.sqlite.org/fileformat.html#magic_header_string"""


def beside(path: Path, end: str) -> Path:
    """Return the path of a file that belongs to a database's."""
    return path.with_name(path.name + end)


def companions(path: Path) -> list[Path]:
    """Return the files that may stand beside a database and belong to it."""
    return [beside(path, end) for end in (WAL, SHARED_MEMORY, JOURNAL, LOCK, FILE_MARK)]


def check_file(path: Path, access: Access) -> None:
    """Make sure that SQLite may open a file; make its folder when a new database is wanted.

    Raises StoreNotFound, FormatMismatch, StoreUnavailable, and StoreDamaged where a write-ahead log has lost its
    database: SQLite would remove the log.
    """
    try:
        if path.is_dir():
            raise FormatMismatch(f"{path} is a folder, and no SQLite database", hint="give the path of a file")
        for file in (path, beside(path, SHARED_MEMORY)):
            if file.exists() and not file.is_file():
                raise FormatMismatch(f"{file} is no file, and no part of an SQLite database", hint="remove it")
        check_apart((path, *companions(path)))
        size = path.stat().st_size if path.exists() else -1
        waiting = waiting_logs(path)
        head = _head_of(path) if size > 0 else b""
    except OSError as error:
        raise unreadable(str(path), error) from error
    left = [*waiting, *filter(Path.exists, [beside(path, FILE_MARK)])]
    if size <= 0 and left:
        what = "is missing" if size < 0 else "is empty"
        raise StoreDamaged(f"the SQLite database {path} {what}, but {left[0].name} is there")
    if head and not left and not _MAGIC.startswith(head):
        raise FormatMismatch(f"{path} is no SQLite database", hint="choose another path")
    if size <= 0 and access is not Access.CREATE:
        raise StoreNotFound(f"there is no SQLite database {path}" + (": the file is empty" if size == 0 else ""))
    if size < 0:
        make_folder(path.parent)


def _head_of(path: Path) -> bytes:
    """Return as much of a file as tells whose it is; of what can't be read here nothing, for that is said later."""
    if not os.access(path, os.R_OK):
        return b""
    with path.open("rb") as file:
        return file.read(len(_MAGIC))


def readable(opened: ExitStack, path: Path) -> tuple[Path, bool]:
    """Return a path to read a database at, and whether nothing can change the file there.

    A database that was closed is read where it is. One that wasn't has a log to be replayed, which SQLite does in
    place: so its files are copied, and `opened` removes them. Raises StoreUnavailable.
    """
    waiting = waiting_logs(path)
    if not waiting:
        return path, True
    shadow = Shadow((path, *waiting))
    opened.callback(shadow.remove)
    return shadow.path / path.name, False


def waiting_logs(path: Path) -> list[Path]:
    """Return the logs that hold something which the database's file doesn't have yet. Raises StoreDamaged, OSError."""
    logs = [log for log in (beside(path, end) for end in (WAL, JOURNAL)) if log.exists()]
    for log in logs:
        if not log.is_file():
            raise StoreDamaged(f"the SQLite database {path} is damaged: {log.name} is no file")
    return [log for log in logs if log.stat().st_size]
