"""What a process does to files, as far as a power failure can undo it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Do(StrEnum):
    """The sorts of operations."""

    CREATE = "create"
    WRITE = "write"
    TRUNCATE = "truncate"
    RENAME = "rename"
    UNLINK = "unlink"
    SYNC = "sync"
    """Of a file: its contents, its length and its name."""
    SYNC_FOLDER = "sync-folder"
    BEGIN = "begin"
    """The process says that it begins a commit."""
    DONE = "done"
    """The process says that the commit is durable."""


NAMES = frozenset({Do.CREATE, Do.RENAME, Do.UNLINK})
"""What changes names, and not contents."""
CHANGES = NAMES | {Do.WRITE, Do.TRUNCATE}


class FileOperation(NamedTuple):
    """One operation. Paths are relative to the folder that is watched.

    `file` is the number of the file itself, which keeps it when it is renamed. `at` is where a write begins, the length
    after a truncation, or the number of a commit. `covers`: a sync makes lasting what was complete when it began, which
    are the operations before this one. `lasting`: a write to a file that was opened for synchronous writing.
    """

    do: Do
    path: str
    file: int = -1
    at: int = 0
    data: bytes = b""
    to: str = ""
    covers: int = 0
    lasting: bool = False

    def __str__(self) -> str:
        match self.do:
            case Do.WRITE:
                return f"write {self.path} [{self.at}, {self.at + len(self.data)})"
            case Do.TRUNCATE:
                return f"truncate {self.path} to {self.at}"
            case Do.RENAME:
                return f"rename {self.path} to {self.to}"
            case Do.BEGIN | Do.DONE:
                return f"{self.do} commit {self.at}"
            case _:
                return f"{self.do} {self.path}"
