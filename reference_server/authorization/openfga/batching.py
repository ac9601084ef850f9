"""Questions that come in one turn of the event loop go to OpenFGA in one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from reference_server.authorization.openfga.client import Check, OpenFgaError

BATCHES_MAX = 4
"""So many batches are under way at once; the others wait within their time."""
BATCH_CHECKS_MAX = 12
"""OpenFGA takes 50, but ends a request after 3 s (`--request-timeout`), and each check is some ten reads of its data:
on a machine that is short of processors 50 didn't come to an end."""
_BYTES_MAX = 400_000
"""Of one batch. Source: OpenFGA takes 616,448 bytes unless told otherwise (`--grpc-max-recv-msg-bytes`)."""
_FRAME_BYTES = 120
"""What a tuple takes in JSON beside its texts."""

Send = Callable[[Sequence[Check]], Awaitable[Sequence[bool | OpenFgaError]]]


class Batches:
    """Gathers checks for one way to send them. Used on one event loop."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[Check, asyncio.Future[bool]] = {}
        self._slots = asyncio.Semaphore(BATCHES_MAX)
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, checks: Sequence[Check]) -> list[bool]:
        """Answer checks, however many. Raises OpenFgaError."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        futures = [self._waiting.setdefault(check, loop.create_future()) for check in checks]
        return list(await asyncio.gather(*(asyncio.shield(each) for each in futures)))

    async def close(self) -> None:
        """End what is under way."""
        for each in self._under_way:
            each.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _flush(self) -> None:
        waiting, self._waiting = list(self._waiting.items()), {}
        while waiting:
            batch: list[tuple[Check, asyncio.Future[bool]]] = []
            size = 0
            while (
                waiting and len(batch) < BATCH_CHECKS_MAX and (not batch or size + _bytes(waiting[0][0]) <= _BYTES_MAX)
            ):
                size += _bytes(waiting[0][0])
                batch.append(waiting.pop(0))
            task = asyncio.get_running_loop().create_task(self._answer(batch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _answer(self, batch: Sequence[tuple[Check, asyncio.Future[bool]]]) -> None:
        try:
            async with self._slots:
                answers = await self._send([check for check, _ in batch])
        except OpenFgaError as error:
            answers = [error] * len(batch)
        except asyncio.CancelledError:
            answers = [OpenFgaError("the server ends", passing=True)] * len(batch)
        for (_, future), answer in zip(batch, answers, strict=True):
            if isinstance(answer, OpenFgaError):
                future.set_exception(answer)
                future.exception()  # whether anybody still asks or not, it counts as seen
            else:
                future.set_result(answer)


def _bytes(check: Check) -> int:
    return sum(_FRAME_BYTES + sum(map(len, key)) for key in (check.key, *check.contextual))
