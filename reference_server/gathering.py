"""Lets requests that arrive close together go through their steps together.

gRPC hands a server one request in each turn of the event loop. Run at once, every create finds the processor's caches
full of transport code, and its commit is one of its own. Gathered, many run in one turn, each step for all of them,
and their batches go into one write, for which they go on waiting where they are: a request is resumed once. Who is
alone waits for a few empty turns of the loop, about 10 microseconds, in which another may come; requests that only
read don't wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

GROUP_MAX = 24
"""So many run in one turn: some milliseconds in which nothing else does."""
PATIENT_TURNS = 6
"""For so many turns without a newcomer the gathered wait on: about as long as gRPC takes to hand over the next."""

T = TypeVar("T")
Answer = TypeVar("Answer")


class Gathering(Generic[T, Answer]):
    """Holds what requests bring until enough have come, or no more come; then hands over all of it at once."""

    def __init__(
        self, take: Callable[[Sequence[tuple[T, asyncio.Future[Answer]]]], None], group_max: int = GROUP_MAX
    ) -> None:
        """`take` is called on the event loop, with what one group brought, and the future that each waits for.

        It has to see to it that every future is done some day; if it raises, those that aren't yet get what it raises.
        """
        self._take = take
        self._group_max = group_max
        self._waiting: list[tuple[T, asyncio.Future[Answer]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        """Where somebody looks after those who wait."""

    async def join(self, brought: T) -> Answer:
        """Wait until the group that gathers now was taken, and for the answer. Raises what `take` raises.

        What a caller brought who was cancelled meanwhile isn't taken.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((brought, future))
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self._look, loop, 0, 0)
        return await future

    def _look(self, loop: asyncio.AbstractEventLoop, seen: int, quiet_turns: int) -> None:
        """Look, turn after turn, whether others came; then let all go on."""
        count = len(self._waiting)
        quiet_turns = quiet_turns + 1 if count == seen else 0
        if count < self._group_max and quiet_turns < PATIENT_TURNS:
            loop.call_soon(self._look, loop, count, quiet_turns)
            return
        group = [(brought, future) for brought, future in self._waiting if not future.done()]
        self._waiting, self._loop = [], None
        try:
            self._take(group)
        except Exception as error:  # noqa: BLE001 - nobody may be left waiting
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
