"""The connections of a PostgreSQL store, their deadlines, and the translation of the driver's errors."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait

from stores.bridge import is_bridged, wait_for, wait_for_socket
from stores.contract import FormatMismatch, StoreNotFound, StoreUnavailable
from stores.postgresql.address import STATEMENT_SECONDS, Address
from stores.postgresql.arrays import register

CONNECTIONS_MAX = 24
"""Of one process; each costs the database some MiB."""
WAIT_SECONDS = 10.0
"""So long one waits for a connection that others use."""
_LOOK_SECONDS = 0.005
_ANSWER_SECONDS = STATEMENT_SECONDS + 5.0
"""The database ends a statement by itself before this; one that is silent for longer is given up."""
RV = TypeVar("RV")


class Silent(psycopg.OperationalError):
    """The database gave no answer; the session was given up."""


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A connection on which nothing waits for ever."""

    wait_seconds_max = _ANSWER_SECONDS

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for the database, at most until it must have ended the statement by itself."""
        if timeout is None and is_bridged():
            return self._wait_beside(gen)
        try:
            return super().wait(gen, interval, self.wait_seconds_max if timeout is None else timeout)
        except errors._WaitTimeout:  # noqa: SLF001 - psycopg's documented way to tell it
            if timeout is not None:
                raise
            raise self._silent() from None

    def _wait_beside(self, gen: PQGen[RV]) -> RV:
        """Wait while the event loop goes on."""
        descriptor = self.pgconn.socket
        try:
            want = next(gen)
            while True:
                ready = wait_for_socket(
                    descriptor, read=bool(want & Wait.R), write=bool(want & Wait.W), seconds=self.wait_seconds_max
                )
                if ready is None:
                    raise self._silent()
                want = gen.send(Ready.R if ready[0] else Ready.W)
        except StopIteration as end:
            answer: RV = end.value
            return answer

    def _silent(self) -> Silent:
        self.close()
        return Silent(f"the database gave no answer for {self.wait_seconds_max:.0f} s")


class Connections:
    """Keeps sessions with one database for reuse, at most `CONNECTIONS_MAX` at once.

    They are opened by whoever needs one, in his own thread, so that he is told why the database can't be reached.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: deque[Session] = deque()
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self.away: str | None = None
        """What whoever listens to the database was told while it is silent: nobody else waits for it then."""

    def connect(self) -> Session:
        """Open a connection that is the caller's to close. Raises the driver's errors."""
        connection = Session.connect(self.address.conninfo, autocommit=True, prepare_threshold=0)
        register(connection)
        return connection

    def take(self) -> Session:
        """Take a connection; give it back. Raises the driver's errors."""
        self.refuse_if_away()
        if not self._acquire():
            raise psycopg.OperationalError(f"all {CONNECTIONS_MAX} connections were in use for {WAIT_SECONDS:.0f} s")
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return wait_for(asyncio.to_thread(self.connect)) if is_bridged() else self.connect()
        except BaseException:
            self._free.release()
            raise

    def refuse_if_away(self) -> None:
        """Raise psycopg.OperationalError while the database is known to be silent."""
        if self.away is not None:
            raise psycopg.OperationalError(self.away)

    def _acquire(self) -> bool:
        if not is_bridged():
            return self._free.acquire(timeout=WAIT_SECONDS)
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._free.acquire(blocking=False):
            if time.monotonic() > deadline:
                return False
            wait_for(asyncio.sleep(_LOOK_SECONDS))
        return True

    def give_back(self, connection: Session) -> None:
        """Keep a connection for others; one that is broken, or in the middle of something, is closed."""
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        self._free.release()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def borrowed(self) -> Iterator[Session]:
        """Lend a connection for a block. Raises StoreUnavailable for the driver's errors in it."""
        with self.translated():
            connection = self.take()
            try:
                yield connection
            finally:
                self.give_back(connection)

    def row(self, statement: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        """Return the first row of a query. One that broke off with its connection is asked again, once.

        Raises StoreUnavailable.
        """
        rows = self.rows(statement, values)
        return rows[0] if rows else None

    def rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Return all rows of a query. One that broke off with its connection is asked again, once.

        Raises StoreUnavailable.
        """
        with self.translated():
            try:
                return self._rows(statement, values)
            except psycopg.OperationalError as error:
                if not is_lost(error):
                    raise
                self.close()
                return self._rows(statement, values)

    def _rows(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        connection = self.take()
        try:
            return connection.execute(statement, values, binary=True).fetchall()
        finally:
            self.give_back(connection)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into the store's."""
        try:
            yield
        except psycopg.Error as error:
            raise self.translation(error) from error

    def translation(self, error: Exception) -> StoreUnavailable:
        """Return the store's error for a driver's."""
        told = " ".join(str(error).split())
        if isinstance(error, errors.InvalidCatalogName) or ("FATAL" in told and told.endswith("does not exist")):
            return StoreNotFound(f"{self.address.shown}: {told}", hint="make the database first: createdb NAME")
        if isinstance(error, errors.UndefinedTable | errors.UndefinedFunction | errors.UndefinedColumn):
            return FormatMismatch(f"{self.address.shown}: {told}", hint="a table of the store is missing; restore it")
        return StoreUnavailable(f"{self.address.shown}: {told}", hint=_hint(error))


_PASSFILE_HINT = "put the password into ~/.pgpass, or the file that PGPASSFILE names, for nobody else to read (0600)"
_CONNECTIONS_HINT = "raise max_connections, or run fewer replicas"
_REFUSALS: tuple[tuple[str, str], ...] = (
    ("password authentication failed", _PASSFILE_HINT),
    ("no password supplied", _PASSFILE_HINT),
    ("too many clients", _CONNECTIONS_HINT),
    ("certificate verify failed", "name the CA of the database's certificate with sslrootcert=FILE"),
    ("does not match host name", "write the host as its certificate has it"),
    ("pg_hba.conf", "let pg_hba.conf take this user from here, or use TLS (sslmode=verify-full) if it asks for that"),
)
"""What is said to who connects, where the driver has no error of its own."""
_HINTS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (errors.InvalidPassword, _PASSFILE_HINT),
    (errors.InsufficientPrivilege, "grant the role what the guide 'run it for real' says"),
    (errors.DiskFull, "free space on the database's disk, then try again"),
    (errors.ReadOnlySqlTransaction, "name the primary, or all hosts: target_session_attrs=read-write finds it"),
    ((errors.LockNotAvailable, errors.QueryCanceled), "the database is slow or locked; look at pg_stat_activity"),
    (errors.TooManyConnections, _CONNECTIONS_HINT),
    (psycopg.OperationalError, "is the database up, and may this machine reach it?"),
)


def _hint(error: Exception) -> str | None:
    refusal = next((hint for words, hint in _REFUSALS if words in str(error)), None)
    return refusal or next((hint for kinds, hint in _HINTS if isinstance(error, kinds)), None)


_FATAL = frozenset({"FATAL", "PANIC"})


def is_lost(error: psycopg.Error) -> bool:
    """Say whether an error means that the connection is gone, rather than that the statement was refused.

    What a session says when it dies isn't what became of its statement. Of a panic while a commit was written to a log
    without room for it, the database's recovery decides.
    """
    return error.sqlstate is None or error.diag.severity_nonlocalized in _FATAL
