"""Who leads the processes that share a PostgreSQL store: who holds an advisory lock, as long as its session lasts.

The session is a lease: the database ends it, and lets go of the lock, when it hears nothing of its process for a while.
"""

from __future__ import annotations

import threading

import psycopg

from stores.postgresql.connections import Connections, Session, is_lost
from stores.postgresql.listening import ANSWER_SECONDS

LEASE_SECONDS = 10
"""A leader that is cut off from the database, or stopped, for longer than this leads no more."""
_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 1))"
_LEASE = "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = 'idle_session_timeout'"


class Leading:
    """The attempt to lead, with a session of its own: the database lets go of the lock when that ends."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._session: Session | None = None
        self._lock = threading.Lock()

    def try_lead(self) -> bool:
        """See `SharedWriters`."""
        with self._lock, self._connections.translated():
            return self._still_leads() or self._begins_to_lead()

    def close(self) -> None:
        """Let another lead."""
        with self._lock:
            self._let_go()

    def _still_leads(self) -> bool:
        if self._session is None:
            return False
        try:
            self._session.execute("SELECT 1")
        except psycopg.Error as error:
            self._let_go()
            if not is_lost(error):
                raise
            return False
        return True

    def _begins_to_lead(self) -> bool:
        self._connections.refuse_if_away()
        session = self._connections.connect()
        try:
            session.wait_seconds_max = ANSWER_SECONDS
            session.execute(_LEASE, (f"{LEASE_SECONDS}s",))
            (leads,) = session.execute(_TRY, (f"parity {self._connections.address.schema}",)).fetchone() or (False,)
        except BaseException:
            session.close()
            raise
        if leads:
            self._session = session
        else:
            session.close()
        return bool(leads)

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
