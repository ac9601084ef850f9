"""What an operation costs as resources grow, in blocks that PostgreSQL touches: a count, whatever the machine does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stores.contract import Put
from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme
from stores.suite.samples import event, put, slug_key
from stores.suite.subject import UrlSubject
from tests.postgresql import Cluster

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

from stores.postgresql.store import PostgresqlStore

CALLS = 40
AT_ONCE = 500
GROWS_MAX = 1.5
"""An index may be a level higher: a block more where there were three."""
_TOUCHED = """
SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)
  + coalesce(toast_blks_read + toast_blks_hit, 0) + coalesce(tidx_blks_read + tidx_blks_hit, 0))
  FROM pg_statio_user_tables WHERE schemaname = current_schema()
"""


@pytest.fixture
def store(cluster: Cluster, tmp_path: Path) -> Iterator[PostgresqlStore]:
    subject = UrlSubject.of(cluster.url, tmp_path)
    subject.opened.add(subject.url_of("db"))
    with contextlib.closing(open_store(subject.url_of("db"), create=True)) as opened:
        assert isinstance(opened, PostgresqlStore)
        yield opened
    subject.remove()


def touched(store: PostgresqlStore) -> int:
    """All blocks that were ever touched; the one session of the store says what it has done."""
    with store._connections.borrowed() as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
    with store._connections.borrowed() as connection:
        (blocks,) = connection.execute(_TOUCHED).fetchone() or (0,)
    return int(blocks)


def fill(store: PostgresqlStore, first: int, last: int) -> None:
    for start in range(first, last, AT_ONCE):
        store.commit([put(f"a{n}", slug=f"s{n}", when="absent") for n in range(start, min(start + AT_ONCE, last))])
    store.compact()


def blocks_a_call(store: PostgresqlStore, count: int) -> dict[str, float]:
    """What each operation touches, of resources all over the store."""
    step = count // CALLS
    operations: dict[str, Callable[[int], object]] = {
        "get": lambda n: store.get_bytes("agent", f"a{n * step}"),
        "find": lambda n: store.find("agent", "slug_key", slug_key(f"s{n * step}")),
        "count": lambda _: store.count("agent"),
        "page": lambda n: list(store.scan("agent", after=n * step, limit=20)),
        "page of a rare kind": lambda _: list(store.scan("event", limit=20)),
        "read together": lambda n: store.read_together("agent", [("slug_key", slug_key(f"s{n * step}"))]),
        "update": lambda n: store.commit([put(f"a{n * step}", slug=f"s{n * step}", when="present")]),
        "create": lambda n: store.commit([put(f"new{count}-{n}", slug=f"new{count}-{n}", when="absent")]),
    }
    found = {}
    for name, operation in operations.items():
        before = touched(store)
        for number in range(CALLS):
            assert operation(number) is not None
        found[name] = (touched(store) - before) / CALLS
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("many", [5_000, pytest.param(100_000, marks=pytest.mark.full)])
def test_no_operation_touches_more_as_resources_grow(store: PostgresqlStore, many: int) -> None:
    few = 1_000
    store.commit([Put("event", "e", event("e", "a"))])
    fill(store, 0, few)
    before = blocks_a_call(store, few)
    fill(store, few, many)
    after = blocks_a_call(store, many)
    assert all(blocks >= 1 for blocks in before.values()), before
    assert {name: (before[name], after[name]) for name in before if after[name] > GROWS_MAX * before[name]} == {}
