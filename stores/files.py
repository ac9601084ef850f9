"""What embedded stores do with files: make the folder, lock it against a second opener, measure it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import ClassVar, Self

from stores.contract import SizeOnDisk, StoreDamaged, StoreLocked, StoreUnavailable

_BLOCK_BYTES = 512
"""The unit of `st_blocks`, whatever the file system's own block size is (POSIX)."""

TOO_MANY_FILES_HINT = "raise the limit of open files (`ulimit -n`), or close some, then try again"

_AT_ONCE = os.O_CLOEXEC | os.O_NONBLOCK
"""A pipe in the place of a lock file is opened without waiting for who writes into it."""


def unreadable(what: str, error: OSError) -> StoreUnavailable:
    """Return the store's error for a file that can't be opened or read."""
    many = error.errno in {errno.EMFILE, errno.ENFILE}
    return StoreUnavailable(
        f"{what} can't be opened: {error.strerror}",
        hint=TOO_MANY_FILES_HINT if many else "correct its permissions, or its folder's",
    )


def make_folder(path: Path) -> None:
    """Make a folder and its parents. Raises StoreUnavailable."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"the folder {path} can't be made: {error.strerror}", hint="choose another path"
        ) from error


def check_apart(files: Iterable[Path]) -> None:
    """Raise StoreDamaged if two of a database's files are one: who writes one would change the other. OSError."""
    seen: dict[tuple[int, int], Path] = {}
    for file in files:
        if file.exists():
            status = file.stat()
            first = seen.setdefault((status.st_dev, status.st_ino), file)
            if first is not file:
                raise StoreDamaged(f"{first} and {file} are one file, by a link")


def check_descriptors(needed: int) -> None:
    """Raise StoreUnavailable unless this process may open so many more files."""
    opened: list[int] = []
    try:
        for _ in range(needed):
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))  # noqa: PERF401 - to be closed one by one
    except OSError as error:
        raise StoreUnavailable(
            f"{needed} files have to be opened, and this process may open {len(opened)} more: {error.strerror}",
            hint=TOO_MANY_FILES_HINT,
        ) from error
    finally:
        for descriptor in opened:
            os.close(descriptor)


def check_space(folder: Path, size: int) -> None:
    """Raise StoreUnavailable unless a file of so many bytes can be written to a folder; nothing of it stays."""
    try:
        with TemporaryFile(dir=folder) as probe:
            os.posix_fallocate(probe.fileno(), 0, size)
            probe.write(b"probe")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise StoreUnavailable(
            f"{folder} takes no {size} bytes: {error.strerror}", hint="free space on the disk"
        ) from error


class FileLock:
    """Holds a lock file until `release`; the kernel gives it up when the process dies, however it dies."""

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        """Take the lock. Raises StoreLocked if another process, or this one, has it; StoreUnavailable.

        A shared lock keeps writers out, not other readers. It never makes the file: where there is none, nobody writes.
        """
        self._file = -1
        try:
            self._file = os.open(path, _AT_ONCE | (os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT), 0o644)
        except OSError as error:
            if shared and isinstance(error, FileNotFoundError):
                return
            raise unreadable(f"the lock file {path}", error) from error
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
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


class DriverLock:
    """Keeps writers out of a folder whose driver locks the file `LOCK` in it by fcntl (LevelDB, RocksDB).

    Such a lock belongs to the process, which loses it when it closes any descriptor of the file: so folders that this
    process has open are remembered, and the `LOCK` of one that it writes isn't touched.
    """

    _written: ClassVar[set[Path]] = set()
    _read: ClassVar[Counter[Path]] = Counter()

    def __init__(self, folder: Path, *, shared: bool) -> None:
        """Prepare for the driver's lock, or take a shared one. Raises StoreLocked, StoreUnavailable."""
        self._folder = folder.resolve()
        self._file = -1
        self._reads = False
        if not shared and self._read[self._folder]:
            raise self._locked()
        others = self._folder in self._written
        self._noted = not shared and not others
        if self._noted:
            self._written.add(self._folder)
        if not shared:
            return  # the driver takes the lock, and refuses the second of two
        if others:
            raise self._locked()
        try:
            self._file = os.open(folder / "LOCK", os.O_RDONLY | _AT_ONCE)
            fcntl.lockf(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            self._read[self._folder] += 1
            self._reads = True
        except FileNotFoundError:
            return
        except BlockingIOError as error:
            self.release()
            raise self._locked() from error
        except OSError as error:
            self.release()
            raise unreadable(f"the lock file {folder / 'LOCK'}", error) from error

    def _locked(self) -> StoreLocked:
        return StoreLocked(
            f"the database {self._folder} is in use", hint="close the other program, or choose another path"
        )

    def release(self) -> None:
        """Give the lock up, or forget that the driver has it. Twice is no error."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._reads:
            self._reads = False
            self._read[self._folder] -= 1
        if self._noted:
            self._noted = False
            self._written.discard(self._folder)

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
