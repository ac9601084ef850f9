"""Hearing that something was written to a PostgreSQL store, by whatever process.

It is a hint only: what was missed while the connection was away, or because the database was busy, is found by reading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import psycopg
from psycopg import sql

from stores.contract import StoreError
from stores.postgresql.connections import Connections

_LOOK_SECONDS = 0.5
"""So often the thread looks whether it is to end."""
_RETRY_SECONDS = 1.0


class Listening:
    """A thread with a connection of its own that calls a function whenever something was written."""

    def __init__(self, connections: Connections, on_change: Callable[[], None]) -> None:
        self._connections = connections
        self._on_change = on_change
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postgresql-listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. Twice is no error."""
        self._ended.set()
        self._thread.join(_LOOK_SECONDS * 10)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with closing(self._connections.connect()) as connection:
                    channel = sql.Identifier(self._connections.address.channel)
                    connection.execute(sql.SQL("LISTEN {}").format(channel))
                    self._on_change()  # for what was missed until now
                    self._follow(connection)
            except (psycopg.Error, StoreError):
                self._ended.wait(_RETRY_SECONDS)

    def _follow(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        while not self._ended.is_set():
            if any(True for _ in connection.notifies(timeout=_LOOK_SECONDS, stop_after=1)):
                self._on_change()
