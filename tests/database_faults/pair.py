"""A primary and its standby, on two ports that take turns: what fails is replaced by the other and made anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from conformance.address import Address
from conformance.nemesis.chance import chance
from conformance.nemesis.proxy import Proxy, proxies
from tests.postgresql import Cluster, cluster, place

_FOLLOWS_SECONDS = 60
_FOLLOWS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = %s"
_SETTINGS = {"dynamic_shared_memory_type": "mmap", "hot_standby": "on"}


class Pair:
    """Two clusters, of which one is the primary."""

    def __init__(self, primary: Cluster, standby: Cluster, state: str) -> None:
        self.primary = primary
        self.standby = standby
        self._state = state
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in (primary, standby))
        self.url = f"postgresql://parity@{hosts}/postgres"

    def fail_over(self) -> None:
        """SIGKILL the primary, promote the standby."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def follow(self, port: int | None = None) -> None:
        """Make the standby anew from the primary, through `port` if one is given, and wait until it follows."""
        self.standby.follow(self.primary, port)
        deadline = time.monotonic() + _FOLLOWS_SECONDS
        with psycopg.connect(self.primary.url, autocommit=True) as connection:
            while connection.execute(_FOLLOWS, (self._state,)).fetchone() != (1,):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the standby didn't follow within {_FOLLOWS_SECONDS} s")
                time.sleep(0.05)


@contextmanager
def synchronous_pair() -> Iterator[Pair]:
    """A commit is acknowledged when the standby has it as well."""
    settings = {**_SETTINGS, "synchronous_standby_names": "*"}
    with cluster(settings) as primary, place(settings) as standby:
        pair = Pair(primary, standby, "sync")
        pair.follow()
        yield pair


@contextmanager
def asynchronous_pair() -> Iterator[tuple[Pair, Proxy]]:
    """A commit is acknowledged before the standby has it; what the standby gets comes through a proxy."""
    with (
        cluster(_SETTINGS) as primary,
        place(_SETTINGS) as standby,
        proxies([Address(f"127.0.0.1:{primary.port}")], chance(0)) as (between,),
    ):
        pair = Pair(primary, standby, "async")
        pair.follow(between.port)
        yield pair, between
