"""A database that says nothing any more: nobody waits for it for long, and another server leads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from conformance.address import Address
from conformance.nemesis.chance import chance
from conformance.nemesis.proxy import Proxy, proxies
from stores.contract import StoreUnavailable
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import put
from stores.suite.subject import UrlSubject
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

from stores.postgresql import leading, listening
from stores.postgresql.store import PostgresqlStore

SOON_SECONDS = 10.0


@pytest.fixture
def way(cluster: Cluster) -> Iterator[Proxy]:
    with proxies([Address(f"127.0.0.1:{cluster.port}")], chance(1)) as (made,):
        yield made


@pytest.fixture
def stores(cluster: Cluster, way: Proxy, tmp_path: Path) -> Iterator[tuple[PostgresqlStore, PostgresqlStore]]:
    """The first goes to the database through `way`."""
    subject = UrlSubject.of(cluster.url, tmp_path)
    url = subject.url_of("db")
    subject.opened.add(url)
    through = url.replace(f":{cluster.port}/", f":{way.port}/") + "&connect_timeout=2"
    with open_store(url, create=True) as near, open_store(through) as far:
        assert isinstance(far, PostgresqlStore)
        assert isinstance(near, PostgresqlStore)
        yield far, near
    subject.remove()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def leading_on(store: PostgresqlStore) -> Iterator[None]:
    """Let a store say that it leads, as a server does."""
    ended = threading.Event()

    def lead() -> None:
        while not ended.wait(0.1):
            store.try_lead()

    thread = threading.Thread(target=lead)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SOON_SECONDS)


def test_who_listens_tells_the_others_that_the_database_is_silent(
    stores: tuple[PostgresqlStore, PostgresqlStore], way: Proxy
) -> None:
    far, near = stores
    reasons, heard = list[str](), threading.Event()
    with patch.object(listening, "ANSWER_SECONDS", 0.5):
        stop = far.listen(heard.set, reasons.append)
        assert heard.wait(SOON_SECONDS)
        way.part()
        until(lambda: bool(reasons))
        assert "no answer" in reasons[0]
        began = time.monotonic()
        for call in (lambda: far.get("agent", "a"), lambda: far.commit([put("a")]), far.recover, far.try_lead):
            with pytest.raises(StoreUnavailable):
                call()
        assert time.monotonic() - began < 1.0, "nobody waits for what is silent"
        near.commit([put("a")])
        heard.clear()
        way.heal()
        assert heard.wait(SOON_SECONDS), "what was missed is looked for"
        far.recover()
        assert far.get("agent", "a") is not None
        count = len(reasons)
        far.commit([put("b")])
        time.sleep(2 * listening._LOOK_SECONDS)
        assert len(reasons) == count
        stop()


def test_a_connection_that_breaks_is_no_silence(stores: tuple[PostgresqlStore, PostgresqlStore], way: Proxy) -> None:
    far, _ = stores
    reasons, heard = list[str](), threading.Event()
    with patch.object(listening, "_RETRY_SECONDS", 0.05):
        stop = far.listen(heard.set, reasons.append)
        assert heard.wait(SOON_SECONDS)
        heard.clear()
        way.silence()
        way.break_silenced()  # there is one connection of the pool's, and this one
        way.silence()
        way.break_silenced()
        assert heard.wait(SOON_SECONDS)
        assert far.get("agent", "a") is None
        assert reasons == []
        stop()


def test_a_leader_that_is_cut_off_is_replaced(stores: tuple[PostgresqlStore, PostgresqlStore], way: Proxy) -> None:
    far, near = stores
    with patch.object(leading, "LEASE_SECONDS", 1), patch.object(leading, "ANSWER_SECONDS", 0.5):
        assert far.try_lead()
        assert not near.try_lead()
        way.part()
        until(near.try_lead)
        with leading_on(near):
            with pytest.raises(StoreUnavailable):
                far.try_lead()
            way.heal()
            until(lambda: not far.try_lead())
        assert near.try_lead()


def test_a_leader_whose_connection_broke_leads_again_at_once(
    stores: tuple[PostgresqlStore, PostgresqlStore],
) -> None:
    far, _ = stores
    with patch.object(leading, "LEASE_SECONDS", 1):
        assert far.try_lead()
        time.sleep(1.5)
        assert far.try_lead(), "nobody else did meanwhile"


def test_the_database_too_notices_who_is_gone(stores: tuple[PostgresqlStore, PostgresqlStore]) -> None:
    far, _ = stores
    with far._connections.borrowed() as connection:
        for name, value in {"tcp_keepalives_idle": "10", "tcp_user_timeout": "15000"}.items():
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == (value,)
