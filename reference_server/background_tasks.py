"""Background tasks: what a server does beside answering.

Take writes again after a full disk, follow the token file, deliver events, clear old ones.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from reference_server.authorization.callers import TokenFileError
from reference_server.bootstrap import Application
from reference_server.config import ServerConfig
from reference_server.events.relay import FileSink, Relay, Sink
from reference_server.events.retention import clear_old_events
from reference_server.events.sink_url import parse_sink
from reference_server.profile import Profile
from reference_server.store_health import StoreHealth
from reference_server.telemetry import log
from stores.contract import Recovers, SharedWriters, StoreError

if TYPE_CHECKING:
    from reference_server.authorization.openfga.following import TupleRelay

TICK_SECONDS = 0.5

Task = Callable[[], Awaitable[bool]]
"""Does a little and returns whether there is more. Raises StoreError."""


class BackgroundTasks:
    """The background tasks of one server. They write through its queue, like requests."""

    def __init__(self, config: ServerConfig, application: Application) -> None:
        """Find out how far the sinks have got. Raises StoreError."""
        self._config = config
        self._application = application
        sinks = _sinks(config)
        self._version = 0
        """The version of the store's contents when it was last looked whether writes are refused."""
        self._led = False
        self._relays = [Relay(application.store, application.queue, sink) for sink in sinks]
        self._tuples = _tuple_relay(application)
        self._undelivered: dict[int, str] = {}
        """By the number of a relay, why it doesn't get on."""

    async def follow_tokens(self) -> bool:
        """Read the files of tokens and keys that changed; a broken one is logged and the callers stay as they were."""
        try:
            if await self._application.refresh_callers():
                log().info("callers read again")
        except TokenFileError as error:
            log().error("callers not read, they stay as they were", reason=str(error))
        return False

    async def deliver_events(self) -> bool:
        """Hand the next events to each sink; what can't be delivered now comes again."""
        if not self._relays or not await self._leads():
            return False
        counts = await asyncio.gather(*(self._deliver(number) for number in range(len(self._relays))))
        return any(counts)

    async def _deliver(self, number: int) -> int:
        try:
            count = await self._relays[number].advance()
        except OSError as error:
            if self._undelivered.get(number) != str(error):
                log().error("events not delivered, they come again", reason=str(error))
            self._undelivered[number] = str(error)
            return 0
        if count and self._undelivered.pop(number, ""):
            log().info("events are delivered again")
        return count

    async def ask_openfga(self) -> bool:
        """Once OpenFGA couldn't be asked: find out whether it answers again."""
        openfga = self._application.openfga
        if openfga is not None and not openfga.availability.answers:
            await openfga.probe()
        return False

    async def deliver_tuples(self) -> bool:
        """Let OpenFGA follow what was granted and revoked; wait for the next commit when it has."""
        openfga = self._application.openfga
        if openfga is None or self._tuples is None:
            return False
        committer = self._application.queue.committer
        seen = committer.version
        if not openfga.availability.model or not await self._leads():
            return False
        try:
            count = await self._tuples.advance(openfga.availability.model)
        except OSError as error:
            openfga.availability.delivered(str(error))
            return False
        openfga.availability.delivered()
        if not count:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await committer.wait_beyond(seen)
        return True

    async def clear_events(self) -> bool:
        """Remove the oldest events beyond the limit, never one that a sink hasn't got."""
        if not await self._leads():
            return False
        delivered = min((relay.position for relay in self._relays), default=sys.maxsize)
        application = self._application
        return await clear_old_events(application.store, application.queue, self._config.events_max, delivered) > 0

    async def _leads(self) -> bool:
        """Say whether this server does what is to be done once; it is one of several where others share the store."""
        store = self._application.store
        if not isinstance(store, SharedWriters):
            return True
        leads = await asyncio.to_thread(store.try_lead)
        if leads and not self._led:
            log().info("this server delivers and clears events from now on")
            for relay in self._relays:
                await asyncio.to_thread(relay.resume)
            if self._tuples is not None:
                await asyncio.to_thread(self._tuples.resume)
        self._led = leads
        return leads

    @property
    def health(self) -> StoreHealth:
        """What is known of the store."""
        return self._application.health

    async def recover_store(self) -> bool:
        """Once the store has refused a write: find out whether it takes them again, and open it again if need be."""
        store, version = self._application.store, self._application.queue.committer.version
        if self.health.refuses_writes:
            if isinstance(store, Recovers):
                await self._recover(store)
                self.health.set_refuses_writes(None)
            elif version > self._version:
                self.health.set_refuses_writes(None)
        self._version = version
        return False

    async def _recover(self, store: Recovers) -> None:
        observers = self._application.context.observers
        for each in observers:
            each.reopening()
        try:
            await asyncio.to_thread(store.recover)
        finally:
            for each in observers:
                each.reopened()

    async def close(self) -> None:
        """Let the sinks go."""
        for relay in self._relays:
            await relay.close()

    def of_profile(self) -> tuple[Task, ...]:
        """Return the tasks that the server's profile has."""
        if self._application.context.profile is Profile.OSS:
            return (self.recover_store,)
        tasks: tuple[Task, ...] = (self.recover_store, self.follow_tokens, self.deliver_events, self.clear_events)
        return tasks if self._tuples is None else (*tasks, self.ask_openfga, self.deliver_tuples)


def _sinks(config: ServerConfig) -> list[Sink]:
    sinks: list[Sink] = [FileSink(Path(config.event_log))] if config.event_log else []
    if config.sink:
        # Its package is an extra, which the configuration has looked for.
        sinks.append(import_module("reference_server.events.nats_sink").NatsSink(parse_sink(config.sink)))
    return sinks


def _tuple_relay(application: Application) -> TupleRelay | None:
    openfga = application.openfga
    if openfga is None:
        return None
    relay_type: type[TupleRelay] = import_module("reference_server.authorization.openfga.following").TupleRelay
    return relay_type(application.store, application.queue, openfga.client, openfga.types, openfga.progress)


@asynccontextmanager
async def background_tasks(tasks: BackgroundTasks) -> AsyncIterator[None]:
    """Run each task every half second, and again at once while it has more, for as long as the block lasts."""
    running = [asyncio.create_task(_repeat(task, tasks.health)) for task in tasks.of_profile()]
    try:
        yield
    finally:
        for each in running:
            each.cancel()
        for each in running:
            with suppress(asyncio.CancelledError):
                await each
        await tasks.close()


async def _repeat(task: Task, health: StoreHealth) -> None:
    told = ""
    while True:
        more = False
        try:
            more = await task()
            told = ""
        except StoreError as error:
            health.answer(error)
            if str(error) != told:
                told = str(error)
                log().error("a background task failed and is tried again", task=task.__name__, reason=told)
        await asyncio.sleep(0 if more else TICK_SECONDS)
