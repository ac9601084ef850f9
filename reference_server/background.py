"""What a server does beside answering: follow the token file, deliver events, clear old ones."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from reference_server.authorization.callers import TokenFileError
from reference_server.bootstrap import Application
from reference_server.call import Profile
from reference_server.config import ServerConfig
from reference_server.events.relay import FileSink, Relay
from reference_server.events.retention import clear_old_events
from reference_server.telemetry import log
from stores.contract import StoreError

TICK_SECONDS = 0.5


class Chores:
    """The chores of one server; each does a little and says whether there is more."""

    def __init__(self, config: ServerConfig, application: Application) -> None:
        self._config = config
        self._application = application
        self._relay = Relay(application.store, FileSink(Path(config.event_log))) if config.event_log else None

    def follow_tokens(self) -> bool:
        """Read the token file if it changed; a broken one is logged and the callers stay as they were."""
        try:
            if self._application.refresh_callers():
                log().info("token file read again")
        except TokenFileError as error:
            log().error("token file not read, the callers stay as they were", reason=str(error))
        return False

    def deliver_events(self) -> bool:
        """Hand the next events to the sink; what can't be delivered now comes again."""
        if self._relay is None:
            return False
        try:
            return self._relay.advance() > 0
        except OSError as error:
            log().error("events not delivered, they come again", reason=str(error))
            return False

    def clear_events(self) -> bool:
        """Remove the oldest events beyond the limit, never one that the sink hasn't got."""
        delivered = self._relay.position if self._relay is not None else sys.maxsize
        return clear_old_events(self._application.store, self._config.events_max, delivered) > 0

    def of(self, profile: Profile) -> tuple[Callable[[], bool], ...]:
        """Return the chores that a profile has."""
        return (self.follow_tokens, self.deliver_events, self.clear_events) if profile is Profile.CLOUD else ()


@asynccontextmanager
async def background(config: ServerConfig, application: Application) -> AsyncIterator[None]:
    """Do the chores, each every half second and again at once while it has more, for as long as the block lasts."""
    chores = Chores(config, application)
    tasks = [asyncio.create_task(_repeat(chore)) for chore in chores.of(application.rules.profile)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _repeat(chore: Callable[[], bool]) -> None:
    while True:
        more = False
        try:
            more = await asyncio.to_thread(chore)
        except StoreError as error:
            log().error("a chore failed and is tried again", chore=chore.__name__, reason=str(error))
        await asyncio.sleep(0 if more else TICK_SECONDS)
