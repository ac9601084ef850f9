"""The engines under the server that are killed while it runs: those whose durable mode is their own."""

from __future__ import annotations

import pytest

from stores.registry import scheme_of, unavailable

_BADGER_MISSING = unavailable(scheme_of("badger"))
ENGINES = (
    "leveldb",
    "sqlite",
    pytest.param("badger", marks=pytest.mark.skipif(_BADGER_MISSING is not None, reason=str(_BADGER_MISSING))),
)
