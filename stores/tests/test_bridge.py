"""Functions that wait for a socket while the event loop goes on."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import pytest

pytest.importorskip("greenlet")

from stores.bridge import bridged, is_bridged, wait_for, wait_for_socket

NAME: ContextVar[str] = ContextVar("NAME", default="")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    with one, two:
        yield one, two


def ready(reader: socket.socket, seconds: float = 10.0) -> Callable[[], object]:
    return lambda: wait_for_socket(reader.fileno(), read=True, write=False, seconds=seconds)


def test_the_loop_goes_on_while_a_function_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    async def main() -> None:
        waiting = asyncio.create_task(bridged(ready(pair[0])))
        for _ in range(5):
            await asyncio.sleep(0.01)
            assert not waiting.done()
        pair[1].send(b"x")
        assert await asyncio.wait_for(waiting, 10) == (True, False)

    asyncio.run(main())


def test_many_wait_beside_each_other() -> None:
    async def main() -> float:
        begun = time.monotonic()

        def slept(number: int) -> Callable[[], int]:
            return lambda: wait_for(asyncio.sleep(0.2, number))

        done = await asyncio.gather(*(bridged(slept(n)) for n in range(50)))
        assert done == list(range(50))
        return time.monotonic() - begun

    assert asyncio.run(main()) < 5


def test_what_it_raises_and_waits_for_is_its_callers(pair: tuple[socket.socket, socket.socket]) -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("inside")

    async def main() -> None:
        with pytest.raises(LookupError, match="inside"):
            await bridged(lambda: wait_for(fails()))
        with pytest.raises(ZeroDivisionError):
            await bridged(lambda: 1 // 0)
        assert await bridged(ready(pair[0], 0.01)) is None, "after its time"
        NAME.set("mine")
        assert await bridged(lambda: (wait_for(asyncio.sleep(0)), NAME.get())[1]) == "mine"
        assert not is_bridged()
        assert await bridged(is_bridged)

    asyncio.run(main())
    with pytest.raises(TypeError):
        wait_for_socket(0, read=True, write=False, seconds=1)


def test_who_is_cancelled_cancels_what_it_waits_for(pair: tuple[socket.socket, socket.socket]) -> None:
    cleaned: list[object] = []

    def waits_and_cleans() -> None:
        try:
            ready(pair[0])()
        finally:
            cleaned.append(wait_for_socket(pair[0].fileno(), read=True, write=False, seconds=0.05))

    async def main() -> None:
        waiting = asyncio.create_task(bridged(waits_and_cleans))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.2)

    asyncio.run(main())
    assert cleaned == [None], "what it does at its end may wait as well"
