"""What was taken out of a damaged database, sorted: a temporary SQLite file, so that it need not fit into memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from stores.salvage.versions import Version

_TABLES = """
CREATE TABLE versions (key BLOB PRIMARY KEY, number INTEGER, value BLOB) WITHOUT ROWID;
CREATE TABLE resources (kind TEXT, id TEXT, position INTEGER, revision INTEGER, data BLOB, PRIMARY KEY (kind, id));
CREATE TABLE names (kind TEXT, id TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE unreadable (kind TEXT, id TEXT, reason TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE removed (kind TEXT, id TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE counts (kind TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID;
"""


class Loss(NamedTuple):
    """A resource that was there and can't be had."""

    kind: str
    id: str
    reason: str


class Taken(NamedTuple):
    """A resource that was taken out; `data` are its wire bytes."""

    kind: str
    id: str
    position: int
    revision: int
    data: bytes


class Pile:
    """Versions of rows, the resources in them, and the names under which resources were mentioned."""

    def __init__(self, file: Path, told: Callable[[int], None] = lambda _: None) -> None:
        """Make the file; the caller removes it. `told`: the size of each row and each resource that is kept."""
        self._told = told
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def add_version(self, version: Version) -> None:
        """Keep a version of a row, unless a newer one is there."""
        self._told(len(version.key) + len(version.value or b""))
        self._db.execute(
            "INSERT INTO versions VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET number = excluded.number, "
            "value = excluded.value WHERE excluded.number > number",
            version[:3],
        )

    def rows(self, first: bytes, behind: bytes) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield key and newest value (None: removed) of the rows in a range."""
        yield from self._db.execute("SELECT key, value FROM versions WHERE key >= ? AND key < ?", (first, behind))

    def row(self, key: bytes) -> bytes | None:
        """Return the newest value of a row, or None."""
        found = self._db.execute("SELECT value FROM versions WHERE key = ?", (key,)).fetchone()
        return None if found is None else found[0]

    def add(self, taken: Taken) -> None:
        """Keep a resource, unless one with the same id and a higher revision is there."""
        self._told(len(taken.data))
        self._db.execute(
            "INSERT INTO resources VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET "
            "position = excluded.position, revision = excluded.revision, data = excluded.data "
            "WHERE excluded.revision > revision",
            taken,
        )

    def name(self, kind: str, id_: str) -> None:
        """Note that an index or the order of creation names a resource."""
        self._db.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", (kind, id_))

    def note_unreadable(self, kind: str, id_: str, reason: str) -> None:
        """Note a resource that is there but can't be read."""
        self._db.execute("INSERT OR IGNORE INTO unreadable VALUES (?, ?, ?)", (kind, id_, reason))

    def note_removed(self, kind: str, id_: str) -> None:
        """Note a resource whose removal was found: it isn't missing."""
        self._db.execute("INSERT OR IGNORE INTO removed VALUES (?, ?)", (kind, id_))

    def note_count(self, kind: str, number: int) -> None:
        """Note how many resources of a kind the database says it has."""
        self._db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (kind, number))

    def count(self) -> int:
        """Return how many resources are here."""
        return int(self._db.execute("SELECT count(*) FROM resources").fetchone()[0])

    def taken(self) -> Iterator[Taken]:
        """Yield the resources in the order of creation."""
        for row in self._db.execute("SELECT kind, id, position, revision, data FROM resources ORDER BY position, id"):
            yield Taken(*row)

    def revision_of(self, kind: str, id_: str) -> int:
        """Return the revision of a resource that is here."""
        found = self._db.execute("SELECT revision FROM resources WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        return int(found[0])

    def losses(self) -> Iterator[Loss]:
        """Yield the resources that were noted and aren't here."""
        absent = "NOT EXISTS (SELECT 1 FROM {} AS r WHERE r.kind = n.kind AND r.id = n.id)"
        for kind, id_, reason in self._db.execute(
            f"SELECT kind, id, reason FROM unreadable AS n WHERE {absent.format('resources')}"  # noqa: S608 - our names
        ):
            yield Loss(kind, id_, reason)
        tables = ("resources", "unreadable", "removed")
        for kind, id_ in self._db.execute(
            f"SELECT kind, id FROM names AS n WHERE {' AND '.join(map(absent.format, tables))}"  # noqa: S608
        ):
            yield Loss(kind, id_, "it is named, but its record can't be found")

    def unnamed(self) -> Iterator[tuple[str, str]]:
        """Yield kind and id of the resources that nothing names."""
        yield from self._db.execute("SELECT kind, id FROM resources EXCEPT SELECT kind, id FROM names")

    def missing(self) -> Iterator[tuple[str, int]]:
        """Yield how many resources each kind should have beyond those that are here."""
        for kind, number, here in self._db.execute(
            "SELECT kind, number, (SELECT count(*) FROM resources AS r WHERE r.kind = c.kind) FROM counts AS c"
        ):
            if number > here:
                yield kind, number - here
