"""Hearing that something was written to a PostgreSQL store, by whatever process, and that the database doesn't answer.

That something was written is a hint only: what was missed while the connection was away, or because the database was
busy, is found by reading. A database that is silent, as one is behind a broken network, is noticed here within seconds;
others then needn't wait for it until their statements' time is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg
from psycopg import sql

from stores.contract import StoreError
from stores.postgresql.connections import Connections, Session, Silent

ANSWER_SECONDS = 3.0
"""So long the database may take to say that it is there."""
_ASK_SECONDS = 1.0
"""So often it is asked."""
_LOOK_SECONDS = 0.5
"""So often the thread looks whether it is to end."""
_RETRY_SECONDS = 1.0


class Listening:
    """A thread with a connection of its own that says when something was written, and why the database is away."""

    def __init__(self, connections: Connections, on_change: Callable[[], None], on_away: Callable[[str], None]) -> None:
        self._connections = connections
        self._on_change = on_change
        self._on_away = on_away
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postgresql-listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. Twice is no error."""
        self._ended.set()
        self._thread.join(_LOOK_SECONDS * 10)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                connection = self._connections.connect()
            except psycopg.Error as error:
                self._tell_away(error, is_silent=time.monotonic() - began > ANSWER_SECONDS)
            else:
                self._connections.away = None
                self._follow(connection)
            self._ended.wait(_RETRY_SECONDS)
        self._connections.away = None

    def _follow(self, connection: Session) -> None:
        """Hear until the connection breaks: unless it was silent, the next one says whether the database is there."""
        try:
            with closing(connection):
                self._hear(connection)
        except Silent as error:
            self._tell_away(error, is_silent=True)
        except (psycopg.Error, StoreError):
            return

    def _hear(self, connection: Session) -> None:
        connection.wait_seconds_max = ANSWER_SECONDS
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._connections.address.channel)))
        self._on_change()  # for what was missed until now
        asked = time.monotonic()
        while not self._ended.is_set():
            if any(True for _ in connection.notifies(timeout=_LOOK_SECONDS, stop_after=1)):
                self._on_change()
            if time.monotonic() - asked > _ASK_SECONDS:
                connection.execute("SELECT 1")
                asked = time.monotonic()

    def _tell_away(self, error: psycopg.Error, *, is_silent: bool) -> None:
        if self._ended.is_set():
            return
        self._connections.away = " ".join(str(error).split()) if is_silent else None
        self._on_away(str(self._connections.translation(error)))
