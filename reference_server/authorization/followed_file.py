"""A file that is read again when it changes, however it is replaced: written over, renamed onto, linked elsewhere."""

from __future__ import annotations

from pathlib import Path


class FollowedFile:
    """A text file and what was last read of it. Used from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None

    def text_if_changed(self) -> str | None:
        """Return the text if it may have changed since the last call, else None. Raises OSError, UnicodeDecodeError.

        A change that couldn't be read is not asked for again until the file changes once more.
        """
        stat = self.path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_dev, stat.st_ino, stat.st_ctime_ns)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        return self.path.read_text(encoding="utf-8")
