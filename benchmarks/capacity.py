"""What agents take on disk, and how fast they come: measured at a few numbers, computed for many.

    python -m benchmarks.capacity leveldb: postgresql://parity@127.0.0.1/agents --agents 1000 --agents 10000

A server of the cloud profile over each store gets agents as callers create them: each with its default instance, its
policies and all index entries. At each number it is stopped, the store compacted, and its size asked. Events are kept
up to a bound, so they are no part of what grows. What is computed goes on from the largest number by the bytes that an
agent took between the two largest, and by the rate between them. A store must be new; a database server's is left.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from benchmarks.config import ConfigError, check_growing
from benchmarks.server.calls import WrongAnswers, agent_to_create, encoded, is_created, require_right
from benchmarks.server.launch import run_in_process
from benchmarks.server.load import LoadFailed, LoadPlan, Traffic
from benchmarks.server.processes import Credentials, Running, ServerFailed, make_credentials, started
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import StoreError
from stores.registry import open_store, parse_url, scheme_of

EVENTS_MAX = 1_000
CALLERS = 32
COMPUTED = (1_000_000, 10_000_000, 100_000_000)
GIB = 1024**3
_CLEARING_SECONDS = 2.0
_SECONDS_MAX = 3_600.0
_HOUR_SECONDS = 3_600


class Space(NamedTuple):
    """What a store takes: all of it, its indexes (None: they can't be told apart), and its place in the log."""

    size_bytes: int
    index_bytes: int | None = None
    log_position: int | None = None


@runtime_checkable
class TellsSpace(Protocol):
    """The ability of a store to tell its indexes from what they lead to, and how much log was written."""

    def index_bytes(self) -> int:
        """Return the bytes of its indexes."""
        ...

    def log_position(self) -> int:
        """Return how many bytes of log were ever written."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A store with so many agents, how much log a create wrote since the number before, and how fast creates came."""

    agents: int
    space: Space
    log_bytes: float | None
    creates_per_second: float


@dataclass(frozen=True, slots=True)
class Computed:
    """A store with more agents than were made, and the hours that making them takes."""

    agents: int
    size_bytes: float
    index_bytes: float | None
    hours: float


def measure(url: str, numbers: Sequence[int], message: Agent, folder: Path) -> Iterator[Measured]:
    """Yield what a new store is like at each number of agents.

    Raises StoreError, ServerFailed, LoadFailed, WrongAnswers; ConfigError where there are agents already.
    """
    credentials, before, done = make_credentials(folder), _empty(url), 0
    for agents in numbers:
        rate = _create(url, agents - done, message, credentials, folder)
        written = _space(url, compacts=False).log_position
        log_bytes = None
        if written is not None and before.log_position is not None:
            log_bytes = (written - before.log_position) / (agents - done)
        before, done = _space(url), agents
        yield Measured(agents, before, log_bytes, rate)


def _create(url: str, count: int, message: Agent, credentials: Credentials, folder: Path) -> float:
    """Create agents through a server; return how many a second."""
    prefix = f"capacity-{count}"
    create = Traffic("create", encoded([message]), unique=prefix)
    with _server(url, credentials, folder) as running:
        report = run_in_process(
            LoadPlan(running.address, (create,), _SECONDS_MAX, CALLERS, calls=count, metadata=credentials.metadata)
        )
    require_right(report, {"create": is_created(prefix)}, f"{parse_url(url).scheme}: create")
    while _events(url) > EVENTS_MAX:
        with _server(url, credentials, folder):
            time.sleep(_CLEARING_SECONDS)
    return report.rate


def _server(url: str, credentials: Credentials, folder: Path) -> AbstractContextManager[Running]:
    command = [sys.executable, "-m", "parity.main", "serve", "--store", url, "--profile", "cloud"]
    command += ["--listen", "127.0.0.1:0", "--tokens", str(credentials.file), "--log-level", "warning"]
    return started([*command, "--events-max", str(EVENTS_MAX)], folder / "server.log")


def _events(url: str) -> int:
    with open_store(url) as store:
        return store.count("event")


def _empty(url: str) -> Space:
    with open_store(url, create=True) as store:
        if count := store.count("agent"):
            raise ConfigError(f"{url} holds {count} agents; name a store that isn't there yet, such as ?schema=NEW")
    return _space(url)


def _space(url: str, *, compacts: bool = True) -> Space:
    with open_store(url) as store:
        if compacts:
            store.compact()
        size = store.size_on_disk().allocated_bytes
        return Space(size, store.index_bytes(), store.log_position()) if isinstance(store, TellsSpace) else Space(size)


def compute(rows: Sequence[Measured], numbers: Sequence[int] = COMPUTED) -> list[Computed]:
    """Go on from the last of what was measured, at the pace between the last two."""
    before, last = rows[-2:]
    more = last.agents - before.agents
    size = (last.space.size_bytes - before.space.size_bytes) / more
    index = None
    if last.space.index_bytes is not None and before.space.index_bytes is not None:
        index = (last.space.index_bytes - before.space.index_bytes) / more
    found = []
    for agents in numbers:
        left = agents - last.agents
        index_bytes = None if index is None or last.space.index_bytes is None else last.space.index_bytes + left * index
        hours = agents / last.creates_per_second / _HOUR_SECONDS
        found.append(Computed(agents, last.space.size_bytes + left * size, index_bytes, hours))
    return found


def table(name: str, rows: Sequence[Measured]) -> Iterator[str]:
    """Yield the lines of a table (Markdown): what was measured, then what is computed."""
    yield f"| {name}, agents | bytes an agent | of them indexes | log bytes a create | creates/s |"
    yield "|---|---|---|---|---|"
    for row in rows:
        index = _per(row.space.index_bytes, row.agents)
        log = "-" if row.log_bytes is None else f"{row.log_bytes:,.0f}"
        size = _per(row.space.size_bytes, row.agents)
        yield f"| {row.agents:,}, measured | {size} | {index} | {log} | {row.creates_per_second:,.0f} |"
    yield ""
    yield f"| {name}, agents | on disk | of it indexes | hours to create them |"
    yield "|---|---|---|---|"
    for more in compute(rows):
        index = "-" if more.index_bytes is None else f"{more.index_bytes / GIB:,.1f} GiB"
        yield f"| {more.agents:,}, computed | {more.size_bytes / GIB:,.1f} GiB | {index} | {more.hours:,.1f} |"


def _per(count: int | None, agents: int) -> str:
    return "-" if count is None else f"{count / agents:,.0f}"


def main() -> int:
    """Print a table for each store. Returns 2 for a wrong request, 3 where a store or a server can't be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__.partition("\n")[0])
    parser.add_argument("stores", nargs="+", metavar="URL", help="an embedded store without path is made and removed")
    parser.add_argument("--agents", type=int, action="append", help="measured at so many; repeat, growing")
    given = parser.parse_args()
    numbers = given.agents or [1_000, 10_000]
    message = agent_to_create(1, "medium")
    try:
        _check(numbers)
        _say(f"an agent of {message.ByteSize():,} bytes; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
        for url in given.stores:
            with tempfile.TemporaryDirectory(prefix="capacity-") as name:
                rows = list(measure(_placed(url, Path(name)), numbers, message, Path(name)))
            for line in table(parse_url(url).scheme, rows):
                _say(line)
            _say("")
    except (ConfigError, WrongAnswers) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (StoreError, ServerFailed, LoadFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return 3
    return 0


def _check(numbers: Sequence[int]) -> None:
    check_growing(numbers)
    if len(numbers) == 1:
        raise ConfigError("--agents: two numbers at least, as what is computed goes on from two")


def _placed(url: str, folder: Path) -> str:
    """Return the URL of an embedded store that says no place with one in a folder; any other as it is."""
    parsed = parse_url(url)
    if not scheme_of(parsed.scheme).needs_path or parsed.path:
        return url
    return str(replace(parsed, path=str(folder / "db")))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    sys.exit(main())
