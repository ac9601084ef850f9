"""What embedded stores do with files: make the folder, lock it against a second opener, measure it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from stores.contract import SizeOnDisk, StoreLocked, StoreUnavailable

_BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's own block size is (POSIX)."""


def make_folder(path: Path) -> None:
    """Make a folder and its parents. Raises StoreUnavailable."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the folder {path} can't be made: {error}", hint="choose another path") from error


class FileLock:
    """Holds a lock file until `release`; the kernel gives it up when the process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises StoreLocked if another process, or this one, has it; StoreUnavailable."""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailable(f"the lock file {path} can't be opened: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StoreLocked(
                f"the database is in use: {path} is locked", hint="close the other program, or choose another path"
            ) from error

    def release(self) -> None:
        """Give the lock up. Twice is no error."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def size_of(*paths: Path) -> SizeOnDisk:
    """Return the bytes of files, and of all files in folders. Those that vanish meanwhile count nothing."""
    apparent = allocated = 0
    for path in paths:
        files = path.rglob("*") if path.is_dir() else (path,)
        for file in files:
            try:
                status = file.stat()
            except FileNotFoundError:
                continue
            if not file.is_dir():
                apparent += status.st_size
                allocated += status.st_blocks * _BLOCK_BYTES
    return SizeOnDisk(apparent, allocated)
