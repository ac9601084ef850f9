"""Connections that break while a PostgreSQL store commits: what became of it is found out, or called unknown."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from stores.contract import (
    Conflict,
    OutcomeUnknown,
    StoreUnavailable,
)
from stores.registry import scheme_of as scheme
from stores.registry import unavailable
from stores.suite.samples import ids_of, put
from stores.tests.postgresql_store import opened
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

import psycopg

from stores.postgresql import writer
from stores.postgresql.store import PostgresqlStore


class Broken(psycopg.OperationalError):
    """As psycopg tells a connection that is gone: without an SQLSTATE."""


def breaking(store: PostgresqlStore, how: Callable[[Any, Any, Any], Any]) -> Any:
    """Let the next call that writes break; `how` gets the connection, and what it was to execute."""
    call, left = store._connections.take, [1]

    def take() -> Any:
        connection: Any = call()
        execute = connection.execute

        def broken(statement: Any, *arguments: Any, **options: Any) -> Any:
            if "write_batches" in str(statement) and left:
                left.pop()
                return how(execute, (statement, *arguments), options)
            return execute(statement, *arguments, **options)

        connection.execute = broken
        return connection

    return patch.object(store._connections, "take", take)


def after_it(execute: Any, arguments: Any, options: Any) -> Any:
    execute(*arguments, **options)
    raise Broken("the connection broke after the commit")


def before_it(execute: Any, arguments: Any, options: Any) -> Any:
    raise Broken("the connection broke before the commit")


@pytest.mark.parametrize("how", [after_it, before_it])
def test_what_became_of_a_commit_whose_connection_broke(url: str, how: Any) -> None:
    with opened(url) as store:
        store.commit([put("a")])
        with breaking(store, how):
            assert store.commit([put("b", when="absent")]) == 2
        assert ids_of(store.scan("agent")) == ["a", "b"], "once, not twice"
        assert store.commit([put("c")]) == 3


class Panic(psycopg.errors.DiskFull):
    """What a session says that had no room for its commit in the log: recovery decides whether the commit is there."""

    diag = SimpleNamespace(severity_nonlocalized="PANIC")  # type: ignore[assignment] # the part that is asked


def test_what_became_of_a_commit_in_which_the_database_panicked(url: str) -> None:
    def panics(execute: Any, arguments: Any, options: Any) -> Any:
        execute(*arguments, **options)
        raise Panic("could not write to the log")

    with opened(url) as store:
        with breaking(store, panics):
            assert store.commit([put("a", when="absent")]) == 1
        assert ids_of(store.scan("agent")) == ["a"]


def test_a_commit_that_arrives_after_it_was_given_up_is_refused(url: str) -> None:
    """It was still on its way when the connection broke: the database must not do it after it was sent again."""
    late: list[Callable[[], Any]] = []

    def delayed(execute: Any, arguments: Any, options: Any) -> Any:
        late.append(lambda: execute(*arguments, **options))
        raise Broken("the connection broke while it was on its way")

    with opened(url) as store, opened(url) as other:

        def arrives(_: int) -> None:
            with pytest.raises(psycopg.errors.UniqueViolation, match="writes"):
                late[0]()

        kept = patch.object(store._connections, "close")
        with breaking(store, delayed), kept, patch.object(writer, "_pause", arrives):
            assert store.commit([put("a", slug="s")]) == 1
        assert len(late) == 1
        assert other.last_position() == 1


def test_an_outcome_that_cant_be_found_out_is_called_unknown(url: str) -> None:
    with opened(url) as store:
        asked = patch.object(store._writer, "_ask", side_effect=Broken("still away"))
        with (
            breaking(store, after_it),
            asked,
            patch.object(writer, "RESOLVE_SECONDS", 0.2),
            pytest.raises(OutcomeUnknown, match="couldn't be asked"),
        ):
            store.commit([put("a", when="absent")])
        with pytest.raises(Conflict):
            store.commit([put("a", when="absent")])


def test_who_was_stopped_for_long_doesnt_trust_a_missing_token(url: str) -> None:
    trusts_nothing = patch.object(writer, "_TOKEN_TRUSTED_SECONDS", -1.0)
    with opened(url) as store, breaking(store, before_it), trusts_nothing, pytest.raises(OutcomeUnknown):
        store.commit([put("a")])


def test_it_goes_on_after_the_database_was_started_again(url: str, cluster: Cluster) -> None:
    with opened(url) as store:
        store.commit([put("a")])
        cluster.stop()
        with pytest.raises(StoreUnavailable, match=r"refused|closed|terminating") as told:
            store.get("agent", "a")
        assert "is the database up" in told.value.hint
        with patch.object(writer, "RESOLVE_SECONDS", 0.2), pytest.raises(StoreUnavailable):
            store.commit([put("b")])
        cluster.start()
        assert store.get("agent", "a") is not None
        store.commit([put("c")])
        assert "c" in ids_of(store.scan("agent"))
