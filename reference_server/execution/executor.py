"""The executor: runs requests, again when they lost a race, and tells callers what the store's errors mean to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference_server.audit import Instant
from reference_server.authorization.model import Caller
from reference_server.errors import Aborted, ApiError, DataLoss, Internal, Unavailable
from reference_server.execution.request_run import RequestRun
from reference_server.execution.write_queue import WriteQueue
from reference_server.pipeline import Operation, ServerContext
from stores.contract import Conflict, CorruptRecord, Store, StoreError, StoreUnavailable

RUNS_MAX = 8
"""So often a request is run when others keep changing what it read; each time one of the others has succeeded."""


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs requests over one store in one context."""

    store: Store
    context: ServerContext
    queue: WriteQueue

    async def execute(
        self,
        operation: Operation,
        data: bytes,
        caller: Caller | None,
        time_remaining: Callable[[], float | None] = lambda: None,
    ) -> bytes:
        """Run `operation` on the request in `data` and return the response's bytes. Raises ApiError.

        `time_remaining` returns the seconds until the caller's deadline, None if there is none.
        """
        try:
            for _ in range(RUNS_MAX):
                run = RequestRun(operation, data, caller, time_remaining)
                if not operation.writes:
                    run.run(self.context, self.store, Instant(self.context.clock))
                    return run.response
                try:
                    return await self.queue.run(run)
                except Conflict:
                    continue
        except StoreError as error:
            raise _translated(error) from error
        raise Aborted(f"{operation.name}: others kept changing the same resource; send the request again")


def _translated(error: StoreError) -> ApiError:
    if isinstance(error, CorruptRecord):
        return DataLoss(f"{error}; {error.hint}" if error.hint else str(error))
    if isinstance(error, StoreUnavailable):
        return Unavailable("the store can't serve now; the operator finds the reason in the log. Try again later")
    return Internal("the store refused the request; the operator finds the reason in the log")
