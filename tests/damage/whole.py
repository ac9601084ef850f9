"""Damages to a whole database: another engine's files in its place, and a newer format."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from stores.keyvalue import layout
from stores.registry import open_store
from tests.damage.base import NAME, Base, copy_tree, url_of

DatabaseDamage = Callable[[Base, Path, Mapping[str, Base]], bool]
"""Gets the base, the folder of the copy, and all bases."""


def _other(scheme: str) -> DatabaseDamage:
    def swap(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
        if scheme == base.scheme or scheme not in bases:
            return False
        shutil.rmtree(folder)
        copy_tree(bases[scheme].folder, folder)
        return True

    return swap


def _mixed(scheme: str) -> DatabaseDamage:
    """Lay another engine's files among those of the database; those of the same names take their place."""

    def mix(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
        other = bases.get(scheme)
        if scheme == base.scheme or other is None or (folder / NAME).is_dir() != (other.folder / NAME).is_dir():
            return False
        for file in other.files:
            if (folder / file).is_dir():
                return False
            shutil.copyfile(other.folder / file, folder / file)
        return True

    return mix


def _newer_format(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
    if base.scheme == "sqlite":
        with sqlite3.connect(folder / NAME) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version = {version + 1}")
        database.close()
        return True
    with open_store(url_of(base.scheme, folder)) as store:
        engine = store.parts[0]  # type: ignore[attr-defined] # a key-value store
        meta = engine.get(layout.META_KEY).replace(
            b'"format":%d' % layout.FORMAT_VERSION, b'"format":%d' % (layout.FORMAT_VERSION + 1)
        )
        engine.write([(layout.META_KEY, meta)], sync=True)
    return True


def _older_whole(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
    """Bring back everything but the high-water mark from an older copy."""
    kept = {path: path.read_bytes() for path in folder.rglob("*parity.mark")}
    shutil.rmtree(folder)
    copy_tree(base.older, folder)
    for path, data in kept.items():
        path.write_bytes(data)
    return bool(kept)


def _read_only(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return True


def _from_the_future(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
    """Set the clock back by an hour, as the files see it."""
    later = time.time() + 3600
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (later, later))
    return True


def _undamaged(base: Base, folder: Path, bases: Mapping[str, Base]) -> bool:
    return True


DESCRIPTORS: Mapping[str, int] = {f"{number} file descriptors left": number for number in (0, 1, 2, 4, 8, 16)}
"""Circumstances of the process, not of the files."""
DATABASE_DAMAGES: Mapping[str, DatabaseDamage] = {
    **{f"{scheme}'s database": _other(scheme) for scheme in ("leveldb", "rocksdb", "lmdb", "badger", "sqlite")},
    **{f"{scheme}'s files among its own": _mixed(scheme) for scheme in ("leveldb", "rocksdb", "lmdb", "badger")},
    "newer format": _newer_format,
    "older copy but for the mark": _older_whole,
    "nothing may be written": _read_only,
    "the clock is an hour behind": _from_the_future,
    **dict.fromkeys(DESCRIPTORS, _undamaged),
}
