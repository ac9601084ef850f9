"""A PostgreSQL store that a test opens."""

from __future__ import annotations

import pytest

from stores.registry import open_store, unavailable
from stores.registry import scheme_of as scheme

if unavailable(scheme("postgresql")):
    pytest.skip(str(unavailable(scheme("postgresql"))), allow_module_level=True)

from stores.postgresql.store import PostgresqlStore


def opened(url: str, **how: bool) -> PostgresqlStore:
    """Open a store, and make it unless `how` says otherwise."""
    store = open_store(url, create=how.get("create", not how), read_only=how.get("read_only", False))
    assert isinstance(store, PostgresqlStore)
    return store
