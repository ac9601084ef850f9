"""Lets a store be closed or paused while other threads use it: they finish first, and later ones are refused."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from stores.contract import StoreClosed, StoreError, StoreUnavailable

CLOSE_TIMEOUT_SECONDS = 30.0


class Gate:
    """Counts who is inside. A native driver must not be closed under a reader: some crash the process.

    `enter` and `leave` cost about 0.1 µs each: `deque` appends and pops are atomic, so no lock is taken, and
    whoever enters does so before he looks whether the gate is shut.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._inside: deque[None] = deque()
        self._refusal: Callable[[], StoreError] | None = None
        """Makes what newcomers are told; None: they may come in."""
        self.closed = False

    def enter(self) -> None:
        """Go in. Raises StoreClosed; StoreUnavailable while the gate is paused."""
        self._inside.append(None)
        refusal = self._refusal
        if refusal is not None:
            self._inside.pop()
            raise refusal()

    def leave(self) -> None:
        """Go out; once for each `enter` that returned."""
        self._inside.pop()

    def close(self, timeout_seconds: float = CLOSE_TIMEOUT_SECONDS) -> bool:
        """Refuse newcomers for good and wait until nobody is inside. Returns False if the gate was closed before.

        Raises StoreUnavailable if somebody stays inside for longer than the timeout.
        """
        if self.closed:
            return False
        self.closed = True
        self._refusal = lambda: StoreClosed(f"{self._what} is closed", hint="open it again")
        self._wait_until_empty(timeout_seconds, "closed")
        return True

    def pause(self, reason: str, timeout_seconds: float = CLOSE_TIMEOUT_SECONDS) -> None:
        """Refuse newcomers, with a reason, until `resume`, and wait until nobody is inside.

        Raises StoreClosed; StoreUnavailable if somebody stays inside for longer than the timeout.
        """
        if self.closed:
            raise StoreClosed(f"{self._what} is closed", hint="open it again")
        self._refusal = lambda: StoreUnavailable(f"{self._what} {reason}", hint="try again in a moment")
        self._wait_until_empty(timeout_seconds, "opened again")

    def resume(self) -> None:
        """Let newcomers in again, unless the gate was closed meanwhile."""
        if not self.closed:
            self._refusal = None

    def _wait_until_empty(self, timeout_seconds: float, what_for: str) -> None:
        deadline = time.monotonic() + timeout_seconds
        while self._inside:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{self._what} can't be {what_for}: an operation is still running")
            time.sleep(0.0005)
