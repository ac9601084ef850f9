"""Who leads the processes that share a PostgreSQL store: who holds an advisory lock, as long as its session lasts."""

from __future__ import annotations

import threading

import psycopg

from stores.postgresql.connections import Connections, Session

_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 1))"


class Leading:
    """The attempt to lead, with a session of its own: the database lets go of the lock when that ends."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._session: Session | None = None
        self._lock = threading.Lock()

    def try_lead(self) -> bool:
        """See `SharedWriters`."""
        with self._lock, self._connections.translated():
            try:
                if self._session is not None:
                    self._session.execute("SELECT 1")
                    return True
                session = self._connections.connect()
                (leads,) = session.execute(_TRY, (f"parity {self._connections.address.schema}",)).fetchone() or (False,)
            except psycopg.Error:
                self._let_go()
                raise
            if leads:
                self._session = session
            else:
                session.close()
            return bool(leads)

    def close(self) -> None:
        """Let another lead."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
