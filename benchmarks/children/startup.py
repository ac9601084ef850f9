"""Open a store, read one agent, and print the moments of it (nanoseconds of the machine's monotonic clock).

Stores import their drivers when they are opened; what imports take is counted apart, wherever they happen.
"""

import time

running = time.monotonic_ns()

import builtins  # noqa: E402 - what comes before this line isn't counted as the store's imports
import importlib  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402


class ImportClock:
    """Adds up the time of outermost imports from when it is started."""

    def __init__(self) -> None:
        self.spent_ns = 0
        self._depth = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap an importing function."""

        def wrapper(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - __import__ takes and gives anything
            self._depth += 1
            begin = time.monotonic_ns()
            try:
                return function(*arguments, **options)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.spent_ns += time.monotonic_ns() - begin

        return wrapper


clock = ImportClock()
builtins.__import__ = clock.timed(builtins.__import__)
importlib.import_module = clock.timed(importlib.import_module)

from stores.registry import open_store  # noqa: E402

imported = time.monotonic_ns()
before_open = clock.spent_ns

with open_store(sys.argv[1]) as store:
    opened = time.monotonic_ns()
    within_open = clock.spent_ns - before_open
    agent = store.get("agent", sys.argv[2])
    answered = time.monotonic_ns()
    within_read = clock.spent_ns - before_open - within_open

import hashlib  # noqa: E402
import json  # noqa: E402

data = agent.SerializeToString(deterministic=True) if agent is not None else b""
told = {
    "running": running,
    "imported": imported,
    "opened": opened,
    "answered": answered,
    "imports_within_open": within_open,
    "imports_within_read": within_read,
    "sha256": hashlib.sha256(data).hexdigest(),
}
sys.stdout.write(json.dumps(told))
