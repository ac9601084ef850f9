"""The writes of a PostgreSQL store: planned here, compared and written in one call of the database.

A write whose connection breaks may have been committed or not. Each carries a token, which is a row of the same
transaction: after connecting again the row says which. Where it isn't there it is put there, so that a write that is
still on its way somewhere is refused when it arrives; then it can be sent again without being done twice.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence

import psycopg
from psycopg import errors

from stores.codecs import Codec
from stores.contract import Batch, OutcomeUnknown, StoreError, StoreUnavailable
from stores.planning import Plan, attempt
from stores.postgresql.connections import Connections, is_lost
from stores.postgresql.holdings import Assumed, Name, Read, asked_by, can_assume
from stores.postgresql.rows import NEW, Rows
from stores.rules import Held
from stores.schema import Schema

ATTEMPTS_MAX = 24
"""So often a write is planned again when other processes changed what it had read; each time one of them got on."""
BACKOFF_SECONDS = 0.002
BACKOFF_SECONDS_MAX = 0.1
RESOLVE_SECONDS = 15.0
"""So long the database is asked what became of a write, before that is called unknown."""
_TOKENS_KEPT_SECONDS = 600
_TOKEN_TRUSTED_SECONDS = 300.0
"""Who was stopped for longer than this (a paused machine) can't tell from a missing token that nothing was written."""
_CLEARING_SECONDS = 10.0
_CHANGED = "PT409"
_RETRIED = (errors.UniqueViolation, errors.SerializationFailure, errors.DeadlockDetected)
_RESOLVE = (
    "INSERT INTO writes AS w (token) VALUES (%b) ON CONFLICT (token) DO UPDATE SET token = w.token RETURNING w.position"
)
_CLEAR = "DELETE FROM writes WHERE at < now() - make_interval(secs => %s)"
Lately = dict[Name, Held]


class _Changed(Exception):
    """What the plan was told isn't so any more; nothing was written."""


class Writer:
    """Commits batches. Used by one thread at a time."""

    def __init__(self, connections: Connections, schema: Schema, codec: Codec, lately: Lately) -> None:
        """`lately`: what was read lately, by kind and id; a guess that each write makes sure of."""
        self._connections = connections
        self._schema = schema
        self._codec = codec
        self._lately = lately
        self._clear_after = 0.0

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        assumes = can_assume(batches, self._lately)
        for number in range(ATTEMPTS_MAX):
            holdings = Assumed(batches, self._lately) if assumes and number == 0 else self._read(batches)
            first = NEW if holdings.met.position is None else holdings.met.position
            plan = Plan(self._schema, holdings, self._codec, first, NEW)
            outcomes = [attempt(plan, batch) for batch in batches]
            is_guess = isinstance(holdings, Assumed)
            if is_guess and (not plan.changes or any(isinstance(each, StoreError) for each in outcomes)):
                continue  # what it is refused for may not be so
            if not plan.changes:
                return outcomes
            for name in plan.changes:
                self._lately.pop(name, None)
            try:
                given = self._write(holdings.met.columns() | Rows(plan, first).columns())
            except _Changed:
                if not is_guess:
                    _pause(number)
                continue
            self._clear_tokens()
            return [each - first + given if isinstance(each, int) and each else each for each in outcomes]
        raise StoreUnavailable(
            f"{self._connections.address.shown}: others changed the same resources {ATTEMPTS_MAX} times",
            hint="send the request again",
        )

    def _read(self, batches: Sequence[Batch]) -> Read:
        read = Read(asked_by(self._schema, batches))
        read.take(self._connections.rows(Read.statement, read.values))
        return read

    # ---- one write

    def _write(self, columns: dict[str, object]) -> int:
        """Write, and return the last position before. Raises _Changed, StoreUnavailable, OutcomeUnknown."""
        for number in range(ATTEMPTS_MAX):
            token, begun = secrets.token_bytes(16), time.monotonic()
            try:
                return self._call(columns | {"p_token": token, "p_channel": self._connections.address.channel})
            except psycopg.Error as error:
                if isinstance(error, _RETRIED) or error.sqlstate == _CHANGED:
                    raise _Changed from error
                if not is_lost(error):
                    raise self._connections.translation(error) from error
                committed = self._outcome(token, begun, error)
            if committed is not None:
                return committed
            _pause(number)
        raise StoreUnavailable(f"{self._connections.address.shown}: connections keep breaking", hint="try again later")

    def _call(self, columns: dict[str, object]) -> int:
        with self._connections.translated():
            connection = self._connections.take()
        statement = f"SELECT write_batches({', '.join(f'{name} => %({name})b' for name in columns)})"
        try:
            ((position,),) = connection.execute(statement, columns, binary=True)
        finally:
            self._connections.give_back(connection)
        return int(position)

    def _outcome(self, token: bytes, begun: float, reason: psycopg.Error) -> int | None:
        """Return the last position before a write whose connection broke, None if it isn't there and never will be."""
        self._connections.close()
        self._lately.clear()  # another host may answer now, which need not have had what was read
        deadline, number = time.monotonic() + RESOLVE_SECONDS, 0
        while True:
            try:
                row = self._ask(token)
            except psycopg.Error as error:
                if not is_lost(error) or time.monotonic() > deadline:
                    raise self._unknown(reason) from error
                number += 1
                _pause(number)
                continue
            if row is None and time.monotonic() - begun > _TOKEN_TRUSTED_SECONDS:
                raise self._unknown(reason) from reason
            return row

    def _ask(self, token: bytes) -> int | None:
        connection = self._connections.take()
        try:
            ((position,),) = connection.execute(_RESOLVE, (token,), binary=True)
        finally:
            self._connections.give_back(connection)
        return None if position is None else int(position)

    def _unknown(self, reason: psycopg.Error) -> OutcomeUnknown:
        told = " ".join(str(reason).split())
        return OutcomeUnknown(
            f"{self._connections.address.shown}: the connection broke during a commit ({told}), and the database "
            "couldn't be asked what became of it",
            hint="read the resource, or send the same request again: it is refused if it was done",
        )

    def _clear_tokens(self) -> None:
        """Now and then: forget tokens that nobody asks for any more."""
        now = time.monotonic()
        if now < self._clear_after:
            return
        self._clear_after = now + _CLEARING_SECONDS
        try:
            with self._connections.borrowed() as connection:
                connection.execute(_CLEAR, (_TOKENS_KEPT_SECONDS,))
        except StoreUnavailable:
            return  # the write stands; the next one says what is wrong


def _pause(number: int) -> None:
    """Wait a moment before another attempt: longer the more there were, and each caller differently."""
    longest = min(BACKOFF_SECONDS * 2**number, BACKOFF_SECONDS_MAX)
    time.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
