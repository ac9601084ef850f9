"""Verifies the store of a URL, and repairs what is derived: `parity stores verify` without the printing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stores.contract import InvalidOperation, Store, StoreDamaged, StoreUnavailable
from stores.integrity.check import Progress, check
from stores.integrity.contents import Contents
from stores.integrity.findings import Finding
from stores.integrity.keyvalue import KeyValueContents
from stores.integrity.repair import repair_key_value, repair_sqlite
from stores.integrity.sqlite import SqliteContents
from stores.keyvalue.engine import EngineCorrupt
from stores.keyvalue.store import KeyValueStore
from stores.registry import open_store, parse_url
from stores.schema import KINDS
from stores.sqlite.store import SqliteStore

SQLITE_FILES = ("", "-wal", "-shm")
"""What the names of a database's files end with. The third is made anew from the second; a copy is easier with it."""


class NotRepairable(StoreUnavailable):
    """What is damaged can't be made again from the resources. Nothing was changed."""

    hint = "take what can be read into a new database: `parity stores salvage URL --to NEW-URL`"


def verify(url: str, progress: Progress = lambda _done, _total: None) -> list[Finding]:
    """Return all that is wrong with the database of a URL; nothing of it is changed. `progress`: as of `check`.

    A database whose damage keeps it from being opened is one finding. Raises InvalidStoreUrl, StoreNotFound,
    StoreLocked, FormatMismatch, StoreUnavailable.
    """
    try:
        with open_store(url, read_only=True) as store, contents_of(store) as contents:
            return list(check(contents, progress))
    except (StoreDamaged, EngineCorrupt) as error:
        return [Finding("database-unreadable", "", "", str(error))]


@contextmanager
def contents_of(store: Store) -> Iterator[Contents]:
    """Give what an open store's database holds. Raises InvalidOperation for a store that isn't of this package."""
    if isinstance(store, KeyValueStore):
        engine, codec, _ = store.parts
        with KeyValueContents(engine, codec, KINDS) as contents:
            yield contents
    elif isinstance(store, SqliteStore):
        connections, sqlite_codec = store.parts
        connection = connections.borrow()
        try:
            connection.execute("BEGIN")
            yield SqliteContents(connection, sqlite_codec, KINDS)
        finally:
            connection.rollback()
            connections.give_back(connection)
    else:
        raise InvalidOperation(
            f"a store over {store.capabilities.engine} can't be verified", hint="name a store on disk"
        )


def repair(url: str, findings: Sequence[Finding]) -> Path:
    """Make again all that is derived from the resources; return where the copy of the database as it was stands.

    `findings` are those of `verify`. Raises NotRepairable if resources are damaged: what an index says of them is
    then all that is left of them. Raises what `open_store` raises.
    """
    damaged = [finding for finding in findings if not finding.derived and finding.what in _IN_THE_WAY]
    if damaged:
        raise NotRepairable(f"{len(damaged)} findings aren't about indexes (the first: {damaged[0].what})")
    parsed = parse_url(url)
    kept = back_up(Path(parsed.path), SQLITE_FILES if parsed.scheme == "sqlite" else ("",))
    with open_store(url) as store:
        if isinstance(store, KeyValueStore):
            repair_key_value(store, KINDS)
        elif isinstance(store, SqliteStore):
            repair_sqlite(store, KINDS)
    return kept


_IN_THE_WAY = frozenset(
    {"database-unreadable", "area-unreadable", "resource-unreadable", "resource-id", "unique-twice", "position-twice"}
)
"""Findings after which indexes can't be made again: a resource isn't known, or two want the same place."""


def back_up(path: Path, endings: Sequence[str]) -> Path:
    """Copy a database's folder, or its files, beside it; return the copy. Raises StoreUnavailable if it changes."""
    number = 1
    while (kept := path.with_name(f"{path.name}.before-repair-{number}")).exists():
        number += 1
    sources = [path.with_name(path.name + ending) for ending in endings]
    before = _stamps(sources)
    for source, ending in zip(sources, endings, strict=True):
        if source.is_dir():
            shutil.copytree(source, kept)
        elif source.exists():
            shutil.copy2(source, kept.with_name(kept.name + ending))
    if _stamps(sources) != before:
        raise StoreUnavailable(f"{path} changed while it was copied", hint="end the program that uses it")
    return kept


def _stamps(sources: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return name, size and time of every file."""
    files = [file for source in sources for file in ([*source.rglob("*"), source] if source.exists() else ())]
    return sorted((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
