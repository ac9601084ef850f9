"""The executor: runs requests, again when they lost a race, and tells callers what the store's errors mean to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from reference_server.audit import Instant
from reference_server.authorization.model import Caller
from reference_server.errors import Aborted
from reference_server.execution.request_run import RequestRun
from reference_server.execution.write_queue import WriteQueue
from reference_server.pipeline import Operation, ServerContext
from reference_server.store_health import StoreHealth
from stores.contract import Conflict, Store, StoreError

T = TypeVar("T")
RUNS_MAX = 8
"""So often a request is run when others keep changing what it read; each time one of the others has succeeded."""


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs requests over one store in one context."""

    store: Store
    context: ServerContext
    queue: WriteQueue
    health: StoreHealth = field(default_factory=StoreHealth)

    @property
    def waits(self) -> bool:
        """Whether what reads or decides may wait for others."""
        return self.store.capabilities.shared_writers or self.context.authorizer.waits

    async def reading(self, function: Callable[[], T]) -> T:
        """Run a function that reads the store; where it waits, the event loop goes on."""
        return await self.queue.reading(function)

    async def execute(
        self,
        operation: Operation,
        data: bytes,
        caller: Caller | None,
        time_remaining: Callable[[], float | None] = lambda: None,
        unchanged_since: str = "",
    ) -> bytes:
        """Run `operation` on the request in `data` and return the response's bytes. Raises ApiError.

        `time_remaining` returns the seconds until the caller's deadline, None if there is none. `unchanged_since` is
        the last change that the caller knows of what it updates: another one in between is refused with Aborted.
        """
        try:
            for number in range(RUNS_MAX):
                optimistic = number == 0 and self.store.capabilities.shared_writers
                run = RequestRun(operation, data, caller, time_remaining, unchanged_since, optimistic=optimistic)
                if not operation.writes:
                    instant = Instant(self.context.clock)
                    await self.reading(lambda run=run, instant=instant: run.run(self.context, self.store, instant))  # type: ignore[misc] # binds the loop's values
                    return run.response
                try:
                    return await self.queue.run(run)
                except Conflict:
                    continue
        except StoreError as error:
            raise self.health.answer(error) from error
        raise Aborted(f"{operation.name}: others kept changing the same resource; send the request again")
