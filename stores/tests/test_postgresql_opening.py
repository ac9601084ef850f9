"""Opening a PostgreSQL store: what is made, what is refused, and where a password comes from."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from stores.contract import (
    FormatMismatch,
    InvalidStoreUrl,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
)
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import put
from stores.tests.postgresql_store import opened
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

import psycopg

from stores.postgresql import opening


def test_looking_makes_nothing(url: str) -> None:
    for read_only in (True, False):
        with pytest.raises(StoreNotFound, match="no store was ever made"):
            open_store(url, read_only=read_only)
    opened(url).close()
    with opened(url, read_only=True) as store:
        with pytest.raises(StoreReadOnly):
            store.commit([put("a")])
        with pytest.raises(StoreUnavailable, match="read-only"), store._connections.borrowed() as connection:
            connection.execute("DELETE FROM state")


def test_a_newer_format_is_refused_and_an_older_one_brought_up_to_date(url: str) -> None:
    opened(url).close()
    newer = ("tables.sql", "second.sql")
    scripts = {"second.sql": "ALTER TABLE resources ADD COLUMN note text"}

    def files(_: str) -> Any:
        class Script:
            def joinpath(self, name: str) -> Any:
                self.name = name
                return self

            def read_text(self, encoding: str) -> str:
                return scripts[self.name]

        return Script()

    with patch.multiple(opening, MIGRATIONS=newer, FORMAT_VERSION=2, files=files):
        with pytest.raises(FormatMismatch, match="format 1"):
            open_store(url)
        with opened(url) as store, store._connections.borrowed() as connection:
            connection.execute("SELECT note FROM resources")
    for how in ({"create": True}, {"read_only": True}, {"create": False}):
        with pytest.raises(FormatMismatch, match="has format 2; this program reads format 1"):
            opened(url, **how)


def test_other_peoples_tables_are_left_alone(url: str, cluster: Cluster) -> None:
    schema = url.rpartition("=")[2]
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.entries (mine text)".encode())
        with pytest.raises(FormatMismatch, match="aren't ours"):
            open_store(url, create=True)
        assert connection.execute(f"TABLE {schema}.entries".encode()).fetchone() is None
        connection.execute(f"CREATE TABLE {schema}.meta (mine text)".encode())
        with pytest.raises(FormatMismatch, match="aren't ours"):
            open_store(url, create=True)


def test_errors_of_opening_say_what_to_do(cluster: Cluster) -> None:
    nowhere = cluster.url.replace("/postgres", "/nowhere")
    with pytest.raises(StoreNotFound, match="nowhere") as told:
        open_store(nowhere, create=True)
    assert "createdb" in told.value.hint
    with pytest.raises(StoreUnavailable, match="refused") as told_closed:
        open_store("postgresql://parity@127.0.0.1:9/postgres?connect_timeout=2")
    assert "is the database up" in told_closed.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://parity:s3cret@127.0.0.1/postgres",
        "postgresql://parity@127.0.0.1/postgres?password=s3cret",
        "postgresql://parity@127.0.0.1/postgres?passwd=s3cret",
        "postgresql://parity@127.0.0.1/postgres?schema=s3cret;drop",
    ],
)
def test_a_password_in_a_url_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(InvalidStoreUrl) as told:
        open_store(url)
    assert "s3cret" not in str(told.value).replace("s3cret;drop", "") + told.value.hint


def test_a_password_comes_from_the_passfile(cluster: Cluster, tmp_path: Path, url: str) -> None:
    """With several hosts, of which the first is away."""
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:{cluster.port}:*:*:s3cret\n")
    passfile.chmod(0o600)
    elsewhere = url.replace("@127.0.0.1:", "@127.0.0.1:9,127.0.0.1:")
    with opened(f"{elsewhere}&passfile={passfile}") as store:
        store.commit([put("a")])
        assert "s3cret" not in repr(store.capabilities) + store._address.shown


def test_a_replica_of_the_database_is_never_written(url: str, cluster: Cluster) -> None:
    """target_session_attrs: a database that takes no writes isn't connected with."""
    opened(url).close()
    with contextlib.closing(psycopg.connect(cluster.url, autocommit=True)) as connection:
        connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute("SELECT pg_reload_conf()")
        try:
            time.sleep(0.3)
            with pytest.raises(StoreUnavailable, match="read-only"):
                open_store(url)
            with opened(url, read_only=True) as store:
                assert store.count("agent") == 0
        finally:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            connection.execute("SELECT pg_reload_conf()")
