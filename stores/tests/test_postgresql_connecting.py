"""How a PostgreSQL store connects: TLS, passwords from files, deadlines; and whom it waits for."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from reference_server.tests.certificates import Authority
from stores.contract import StoreError, StoreUnavailable
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import put
from stores.tests.postgresql_store import opened
from tests import postgresql
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

import psycopg

from stores.postgresql import address

PASSWORD = "s3cret words"
HBA = """
hostssl all certified 127.0.0.1/32 cert
hostssl all guarded 127.0.0.1/32 scram-sha-256
host all guarded 127.0.0.1/32 reject
host all parity 127.0.0.1/32 trust
"""


@dataclass(frozen=True)
class Guarded:
    """A database that asks `guarded` for a password and `certified` for a certificate, both over TLS only."""

    cluster: Cluster
    authority: Authority
    folder: Path

    def url(self, user: str = "guarded", host: str = "127.0.0.1", **options: object) -> str:
        given = {"sslmode": "verify-full", "sslrootcert": self.authority.cert, "schema": user, **options}
        query = "&".join(f"{name}={value}" for name, value in given.items())
        return f"postgresql://{user}@{host}:{self.cluster.port}/postgres?{query}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    if reason := postgresql.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(folder)
    pair = authority.issue("database")
    with postgresql.cluster() as cluster:
        with contextlib.closing(psycopg.connect(cluster.url, autocommit=True)) as connection:
            connection.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'".encode())
            connection.execute("CREATE ROLE certified LOGIN")
            connection.execute("GRANT CREATE ON DATABASE postgres TO guarded, certified")
        files = {
            "hba_file": cluster.keep("hba", HBA.encode()),
            "ssl_cert_file": cluster.keep("cert", pair.cert.read_bytes()),
            "ssl_key_file": cluster.keep("key", pair.key.read_bytes()),
            "ssl_ca_file": cluster.keep("ca", authority.cert.read_bytes()),
        }
        cluster.stop("fast")
        cluster.settings.update(files, ssl="on")
        cluster.start()
        yield Guarded(cluster, authority, folder)


@pytest.fixture(autouse=True)
def _nobodys_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


def passfile(folder: Path, password: str = PASSWORD, mode: int = 0o600) -> Path:
    file = folder / "pgpass"
    file.write_text(f"127.0.0.1:*:postgres:guarded:{password}\n", encoding="utf-8")
    file.chmod(mode)
    return file


def works(url: str) -> None:
    """What is written is read again, over an encrypted line."""
    with opened(url) as store, store._connections.borrowed() as connection:
        store.commit([put("a")])
        assert store.get("agent", "a") is not None
        encrypted = connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert encrypted == (True,)


def refused(url: str) -> StoreError:
    with pytest.raises(StoreUnavailable) as told:
        open_store(url, create=True)
    assert "s3cret" not in f"{told.value} {told.value.hint} {told.value!r}"
    return told.value


# ---- TLS


def test_over_tls_with_the_password_of_a_file(guarded: Guarded, tmp_path: Path) -> None:
    works(guarded.url(passfile=passfile(tmp_path)))


def test_a_certificate_stands_for_a_password(guarded: Guarded) -> None:
    pair = guarded.authority.issue("certified")
    pair.key.chmod(0o600)
    works(guarded.url("certified", sslcert=pair.cert, sslkey=pair.key))


def test_who_is_signed_by_somebody_else_is_told_nothing(guarded: Guarded, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    told = refused(guarded.url(sslrootcert=stranger.cert, passfile=passfile(tmp_path)))
    assert "certificate verify failed" in str(told)
    assert "sslrootcert" in told.hint


def test_another_name_than_the_certificates_is_refused(guarded: Guarded, tmp_path: Path) -> None:
    told = refused(guarded.url(host="localhost", passfile=passfile(tmp_path)))
    assert 'does not match host name "localhost"' in str(told)
    assert "as its certificate has it" in told.hint


def test_in_clear_the_database_may_refuse(guarded: Guarded, tmp_path: Path) -> None:
    told = refused(guarded.url(sslmode="disable", passfile=passfile(tmp_path)))
    assert "pg_hba.conf rejects" in str(told)
    assert "use TLS" in told.hint


# ---- passwords


def test_the_password_of_pgpassfile(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", str(passfile(tmp_path)))
    works(guarded.url())


def test_user_and_password_of_a_service_file(guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    place = f"host=127.0.0.1\nport={guarded.cluster.port}\ndbname=postgres\nuser=guarded\npassword={PASSWORD}\n"
    file.write_text(f"[agents]\n{place}", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    works(f"postgresql:?service=agents&sslmode=verify-full&sslrootcert={guarded.authority.cert}&schema=guarded")


def test_a_wrong_password_is_told_without_it(guarded: Guarded, tmp_path: Path) -> None:
    told = refused(guarded.url(passfile=passfile(tmp_path, "another s3cret")))
    assert 'password authentication failed for user "guarded"' in str(told)
    assert "PGPASSFILE" in told.hint


def test_a_password_file_that_others_may_read_is_not_used(guarded: Guarded, tmp_path: Path) -> None:
    told = refused(guarded.url(passfile=passfile(tmp_path, mode=0o644)))
    assert "no password supplied" in str(told)
    assert "PGPASSFILE" in told.hint


# ---- deadlines, and whom it waits for


@contextlib.contextmanager
def locked(cluster: Cluster, statement: str) -> Iterator[Any]:
    """Hold a lock in a transaction of somebody else's."""
    with contextlib.closing(psycopg.connect(cluster.url)) as other:
        other.execute(statement.encode())
        yield other
        other.rollback()


@pytest.mark.parametrize(
    ("setting", "told"), [("LOCK_SECONDS", "lock timeout"), ("STATEMENT_SECONDS", "statement time")]
)
def test_a_write_that_waits_too_long_is_ended_and_leaves_nothing(
    url: str, cluster: Cluster, setting: str, told: str
) -> None:
    schema = url.rpartition("=")[2]
    with patch.object(address, setting, 1), opened(url) as store:
        with (
            locked(cluster, f"LOCK TABLE {schema}.state IN ACCESS EXCLUSIVE MODE"),
            pytest.raises(StoreUnavailable, match=told) as ended,
        ):
            store.commit([put("a")])
        assert "slow or locked" in ended.value.hint
        assert store.count("agent") == 0
        assert store.commit([put("a")]) == 1


def test_a_host_that_takes_no_connection_up_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        refused(f"postgresql://parity@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2")
        assert time.monotonic() - begun < 30


def test_who_opens_waits_for_whoever_migrates(url: str, cluster: Cluster) -> None:
    """The advisory lock: nobody looks at tables that are being made."""
    schema = url.rpartition("=")[2]
    with (
        locked(cluster, f"SELECT pg_advisory_xact_lock(hashtextextended('parity {schema}', 0))") as migrating,
        ThreadPoolExecutor(1) as pool,
    ):
        opening = pool.submit(opened, url)
        deadline = time.monotonic() + 30
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with contextlib.closing(psycopg.connect(cluster.url, autocommit=True)) as looking:
            while looking.execute(waits).fetchone() != (1,):
                assert time.monotonic() < deadline, "it asks for the lock"
            assert looking.execute("SELECT to_regnamespace(%s)", (schema,)).fetchone() == (None,)
        assert not opening.done()
        migrating.rollback()
        opening.result(30).close()


def test_a_batch_of_creates_is_one_statement(url: str) -> None:
    """Conditions, indexes, counts, token and commit: the database is asked once."""
    with opened(url) as store:
        store.commit([put("first")])
        told: list[str] = []
        take = store._connections.take

        def watched() -> Any:
            connection: Any = take()
            execute = connection.execute

            def noted(statement: Any, *arguments: Any, **options: Any) -> Any:
                told.append(str(statement).partition("(")[0])
                return execute(statement, *arguments, **options)

            connection.execute = noted
            return connection

        with patch.object(store._connections, "take", watched):
            store.commit([put(f"a{number}", slug=f"s{number}", when="absent") for number in range(9)])
        assert told == ["SELECT write_batches"]
        assert store.count("agent") == 10


def test_listeners_and_pools_survive_a_killed_session(url: str, cluster: Cluster) -> None:
    with opened(url) as store:
        heard = threading.Event()
        stop = store.listen(heard.set, pytest.fail)
        assert heard.wait(10)
        store.commit([put("a")])
        with contextlib.closing(psycopg.connect(cluster.url, autocommit=True)) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'parity' AND pid <> pg_backend_pid()"
            )
        assert store.get("agent", "a") is not None, "asked again over a new connection"
        deadline = time.monotonic() + 20
        heard.clear()
        while not heard.is_set():
            store.commit([put("b")])
            assert time.monotonic() < deadline
            heard.wait(0.5)
        stop()
