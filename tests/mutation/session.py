"""What was judged already: one row for each mutant, in a database that a later run goes on with."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.mutation.trial import Ending, Judgement

_SCHEMA = """
CREATE TABLE IF NOT EXISTS judged (
    suite TEXT NOT NULL, key TEXT NOT NULL, ending TEXT NOT NULL, by TEXT NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (suite, key)
)
"""


class Session:
    """The judgements of one suite. Another set of requirements begins anew.

    Args:
        path: the database; made when it isn't there.
        suite: what the judgements hold for: the catalogue's hash.
    """

    def __init__(self, path: Path, suite: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._suite = suite
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(_SCHEMA)

    def add(self, key: str, judgement: Judgement) -> None:
        """Keep one judgement."""
        row = (self._suite, key, judgement.ending, judgement.by, judgement.seconds)
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("INSERT OR REPLACE INTO judged VALUES (?, ?, ?, ?, ?)", row)

    def judged(self) -> dict[str, Judgement]:
        """Return all judgements by the mutant's key."""
        with closing(sqlite3.connect(self._path)) as connection:
            rows = connection.execute("SELECT key, ending, by, seconds FROM judged WHERE suite = ?", (self._suite,))
            return {key: Judgement(Ending(ending), by, seconds) for key, ending, by, seconds in rows}
