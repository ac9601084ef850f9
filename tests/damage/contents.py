"""What is in a folder, to tell whether looking changed it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from stores.shadow import data_of

Contents = Mapping[str, tuple[int, str]]
"""The mode and digest of each path."""
_BESIDE: Mapping[str, str] = {
    "leveldb": r".*/(LOG(\.old)?|LOCK)",
    "rocksdb": r".*/(LOG(\..*)?|LOCK)",
    "sqlite": r".*(-shm|\.lock)",
    "lmdb": r".*/(lock\.mdb|parity\.lock)",
    "badger": r".*/LOCK",
}
"""What a driver, or a lock, leaves beside the data when it opens for writing, before it knows of the damage: texts for
people, locks, and SQLite's map of its log, which it makes anew when it opens. Nothing of what was stored is there."""


def contents(folder: Path) -> Contents:
    """Return all that is in a folder."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, digest_of_file(path) if path.is_file() else "")
        for path in sorted(folder.rglob("*"))
    }


def changes(before: Contents, after: Contents, written_by: str = "") -> list[str]:
    """Name what differs. With `written_by`, an engine, what it leaves beside the data doesn't count."""
    beside = _BESIDE.get(written_by, r"(?!)")
    return [
        name
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name) and not re.fullmatch(beside, name)
    ]


def digest_of_file(path: Path) -> str:
    mode = path.stat().st_mode
    if not mode & 0o400:
        return ""
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        for at, block in data_of(file.fileno()):
            digest.update(b"%d" % at + block)
    return digest.hexdigest()
