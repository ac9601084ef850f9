"""A shadow of a database: a temporary folder that stands for it, so that a driver which writes when it opens can read.

LevelDB and RocksDB replay their logs into new tables and start a new MANIFEST whenever they open; SQLite writes beside
a file that wasn't closed, and Badger completes what a killed process left. Over a shadow they may: files that the
driver never rewrites are linked, all others are copied.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from stores.contract import StoreError, StoreUnavailable

SHADOW_PREFIX = "parity-shadow-"
_BLOCK_BYTES = 1024 * 1024


class Shadow:
    """A temporary folder with a database's files; `remove` it when the driver has let go of it."""

    def __init__(self, files: Iterable[Path], linked: str = r"(?!)") -> None:
        """Link the files whose names match `linked`, and copy the others. Raises StoreUnavailable.

        Link only what the driver opens for reading and removes by unlink: the link goes, not the file.
        """
        self._folder = TemporaryDirectory(prefix=SHADOW_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        files_made: list[Path] = []
        file = self.path
        try:
            for file in files:
                files_made.append(self.path / file.name)
                if re.fullmatch(linked, file.name):
                    files_made[-1].symlink_to(file.absolute())
                elif file.is_file():
                    copy_sparse(file, files_made[-1])
        except OSError as error:
            for made in files_made:
                made.unlink(missing_ok=True)  # takes no file descriptor, which may be what there are none of
            self.remove()
            named = file if files_made else error.filename  # never the copy's name, which is nobody's
            raise StoreUnavailable(
                f"{named} can't be copied for reading: {error.strerror}",
                hint=f"correct the file's permissions, or give TMPDIR a folder with room; it is {self.path.parent} now",
            ) from error
        except BaseException:  # Ctrl-C, above all
            self.remove()
            raise

    def remove(self) -> None:
        """Remove the folder. Twice is no error."""
        with suppress(OSError):
            self.path.rmdir()  # empty: takes no file descriptor
        self._folder.cleanup()


def in_its_own_name(words: str, folder: Path) -> str:
    """Return words in which a shadow's folder has the name of the folder that it stands for."""
    return re.sub(rf"[^\s:]*/{SHADOW_PREFIX}\w+", lambda _: str(folder), words)


@contextmanager
def told_of(folder: Path) -> Iterator[None]:
    """Let the store's errors that are raised within name this folder where they name a shadow's."""
    try:
        yield
    except StoreError as error:
        error.args = tuple(in_its_own_name(str(word), folder) for word in error.args)
        error.hint = in_its_own_name(error.hint, folder)
        raise


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file's contents and leave its holes: Badger's logs are 128 MiB long and nearly empty. Raises OSError."""
    with source.open("rb") as old, target.open("xb") as new:
        for at, block in data_of(old.fileno()):
            os.pwrite(new.fileno(), block, at)
        new.truncate(os.fstat(old.fileno()).st_size)


def data_of(file: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of an open file with their places, and no holes. Raises OSError."""
    end = 0
    while True:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left, or nothing
                return
            raise
        end = os.lseek(file, start, os.SEEK_HOLE)
        while start < end:
            block = os.pread(file, min(end - start, _BLOCK_BYTES), start)
            if not block:
                return
            yield start, block
            start += len(block)
