"""Lets plain functions wait for a socket without keeping the event loop waiting.

A store over a network waits within its reads. The steps of a request are plain functions over such reads, and stay so:
`bridged` runs a function in a greenlet, and where the function waits, the greenlet steps aside and the
event loop goes on with others until there is something to read. Nothing runs in another thread, so what is made for one
event loop needs no locks. Outside of `bridged` nothing changes: who waits, waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class _Bridged(greenlet):
    """A greenlet that `bridged` looks after; it shares the context variables of its caller."""

    def __init__(self, run: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(run)
        self.loop = loop
        self.gr_context = getcurrent().gr_context

    def step_aside(self) -> Any:  # noqa: ANN401 - what the one who goes on with it hands in
        """Let the event loop go on until somebody switches to this greenlet."""
        assert self.parent is not None  # noqa: S101 - only a thread's first greenlet has none
        return self.parent.switch()


async def bridged(function: Callable[[], T]) -> T:
    """Run a function; whenever it waits for a socket, let the event loop go on. Raises what the function raises.

    Who is cancelled meanwhile cancels what the function waits for: there `CancelledError` is raised.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            answer = function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            if not ended.done():
                ended.set_exception(error)
        else:
            if not ended.done():
                ended.set_result(answer)

    running = _Bridged(run, loop)
    running.switch()
    try:
        return await ended
    finally:
        if not running.dead:
            running.throw(asyncio.CancelledError)


def is_bridged() -> bool:
    """Say whether the running function is one that `bridged` runs."""
    return isinstance(getcurrent(), _Bridged)


def wait_for(awaitable: Awaitable[T]) -> T:
    """Wait for something within a function that `bridged` runs. Raises what it raises."""
    running = _running()
    task = asyncio.ensure_future(awaitable, loop=running.loop)

    def go_on(_: asyncio.Future[T]) -> None:
        running.switch()

    task.add_done_callback(go_on)
    try:
        running.step_aside()
    except BaseException:
        task.remove_done_callback(go_on)
        task.cancel()
        raise
    return task.result()


def wait_for_socket(descriptor: int, *, read: bool, write: bool, seconds: float) -> tuple[bool, bool] | None:
    """Wait until a socket can be read or written, and say which; None after so many seconds."""
    running = _running()
    loop = running.loop
    if read:
        loop.add_reader(descriptor, running.switch, (True, False))
    if write:
        loop.add_writer(descriptor, running.switch, (False, True))
    timer = loop.call_later(seconds, running.switch, None)
    try:
        ready: tuple[bool, bool] | None = running.step_aside()
        return ready
    finally:
        timer.cancel()
        if read:
            loop.remove_reader(descriptor)
        if write:
            loop.remove_writer(descriptor)


def _running() -> _Bridged:
    running = getcurrent()
    if not isinstance(running, _Bridged):
        raise TypeError("only a function that `bridged` runs can wait beside the event loop")
    return running
