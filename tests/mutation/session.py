"""What was judged already: one row for each mutant, in a database that a later run goes on with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from conformance.catalogue import catalogue
from tests.mutation.trial import Ending, Judgement

_SCHEMA = """
CREATE TABLE IF NOT EXISTS judgement (
    key TEXT PRIMARY KEY, ending TEXT NOT NULL, by TEXT NOT NULL, cpu_seconds REAL NOT NULL,
    suite TEXT NOT NULL, sentence TEXT NOT NULL
)
"""


class Session:
    """The judgements of all suites.

    A kill stands as long as the requirement that killed says what it said. Who survived another suite than this one is
    `outdated`: this one may know better.

    Args:
        path: the database; made when it isn't there.
        suite: the hash of the suite that judges now.
    """

    def __init__(self, path: Path, suite: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._suite = suite
        with self._connected() as connection:
            connection.execute(_SCHEMA)

    def add(self, key: str, judgement: Judgement, *, of_all: bool = True) -> None:
        """Keep one judgement; `of_all` says whether all was asked that could notice, so that a survivor is one."""
        suite = self._suite if of_all else ""
        row = (key, judgement.ending, judgement.by, judgement.cpu_seconds, suite, _sentence(judgement.by))
        with self._connected() as connection:
            connection.execute("INSERT OR REPLACE INTO judgement VALUES (?, ?, ?, ?, ?, ?)", row)

    def judged(self) -> dict[str, Judgement]:
        """Return all judgements that stand by the mutant's key."""
        with self._connected() as connection:
            rows = connection.execute("SELECT key, ending, by, cpu_seconds, sentence FROM judgement")
            return {
                key: Judgement(Ending(ending), by, seconds)
                for key, ending, by, seconds, sentence in rows
                if sentence == _sentence(by)
            }

    def outdated(self) -> frozenset[str]:
        """Return the keys of those that survived another suite, or a part of this one."""
        with self._connected() as connection:
            wanted = (Ending.SURVIVED, self._suite)
            rows = connection.execute("SELECT key FROM judgement WHERE ending = ? AND suite != ?", wanted)
            return frozenset(key for (key,) in rows)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            yield connection


def _sentence(by: str) -> str:
    """Return what a requirement says; empty for whatever else ended a trial."""
    row = catalogue().get(by.partition(" ")[0])
    return row.sentence if row is not None else ""
