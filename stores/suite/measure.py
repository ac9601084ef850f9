"""Three measurements of a store: what it costs over its engine, what group commit gains, and that lists don't grow.

They are for orientation, in one process, from a few thousand operations; benchmarks that judge claims are elsewhere.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stores.contract import Batch, Put, Store
from stores.group_commit import GroupCommitter
from stores.keyvalue.store import KeyValueStore
from stores.suite.check import StoreUnderTest
from stores.suite.samples import agent

OPERATIONS = 600
TEXT_BYTES = 5900
"""Makes an agent of 6 KiB, the median of real ones."""
WRITERS = 32
SECONDS = 1.5
BATCHES = 30_000
HITS = 100
LOAD_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Overhead:
    """Median times in µs: engine and codec alone, and the whole store."""

    raw_put_us: float
    store_put_us: float
    raw_get_us: float
    store_get_us: float
    get_bytes_us: float


@dataclass(frozen=True, slots=True)
class GroupGain:
    """Acknowledged commits per second: of one writer, and of WRITERS of them through the group committer."""

    alone_per_second: float
    together_per_second: float


@dataclass(frozen=True, slots=True)
class Listing:
    """Median time in ms of listing an organization's resources in a small and in a large store."""

    hits: int
    small_ms: float
    large_ms: float


def overhead(subject: StoreUnderTest, name: str) -> Overhead | None:
    """Compare a key-value store with its own engine and codec, operation by operation in turns; None for others."""
    with subject.open(name) as store:
        if not isinstance(store, KeyValueStore):
            return None
        engine, codec, sync = store.parts
        messages = [agent(f"agt-{number:026d}", text=_text(number)) for number in range(OPERATIONS)]
        times: dict[str, list[float]] = {what: [] for what in ("raw put", "put", "raw get", "get", "bytes")}
        for message in messages:
            id_ = message.metadata.id
            # A key behind those of the layout: the rows of the store stay as they are.
            raw = b"z" + id_.encode()
            _time(times["raw put"], lambda: engine.write([(raw, codec.encode(message, None))], sync=sync))  # noqa: B023 - called at once
            _time(times["put"], lambda: store.commit([Put("agent", id_, message, "absent")]))  # noqa: B023
        for message in messages:
            id_ = message.metadata.id
            raw = b"z" + id_.encode()
            _time(times["raw get"], lambda: codec.message(type(message), engine.get(raw) or b""))  # noqa: B023
            _time(times["get"], lambda: store.get("agent", id_))  # noqa: B023
            _time(times["bytes"], lambda: store.get_bytes("agent", id_))  # noqa: B023
    median = {what: statistics.median(values) * 1e6 for what, values in times.items()}
    return Overhead(median["raw put"], median["put"], median["raw get"], median["get"], median["bytes"])


def group_gain(subject: StoreUnderTest, name: str) -> GroupGain:
    """Count commits per second of one writer, and of WRITERS coroutines of one event loop."""
    with subject.open(name) as store:
        alone = _commits_per_second(store, _creations("a"))
        together = asyncio.run(_grouped_commits_per_second(store, WRITERS, _creations("c")))
    return GroupGain(alone, together)


def listing(subject: StoreUnderTest, name: str, large: int) -> Listing:
    """List an organization with HITS resources, in a store of 1,000 and in one of `large`."""
    times = [_list(subject, f"{name}-{which}", size) for which, size in (("small", 1000), ("large", large))]
    return Listing(HITS, times[0], times[1])


def _list(subject: StoreUnderTest, name: str, size: int) -> float:
    with subject.open(name) as store:
        orgs = max(size // HITS, 1)
        for start in range(0, size, LOAD_BATCH):
            store.commit([_owned(number, orgs) for number in range(start, min(start + LOAD_BATCH, size))])
        times: list[float] = []
        for number in range(30):
            org = f"org{number * 7 % orgs}"
            _time(times, lambda: _expect_hits(store, org))  # noqa: B023 - called at once
        return statistics.median(times) * 1e3


def _owned(number: int, orgs: int) -> Put:
    return Put("agent", f"a{number}", agent(f"a{number}", org=f"org{number % orgs}"), "absent")


def _expect_hits(store: Store, org: str) -> None:
    found = sum(1 for _ in store.scan("agent", index="org", key=(org,)))
    if found != HITS:
        raise AssertionError(f"{org} has {found} resources, not {HITS}: nothing worth timing")


def _creations(prefix: str) -> Iterator[Batch]:
    """Return batches that are made beforehand: what making them costs is no commit's."""
    ids = [f"{prefix}{number:06d}" for number in range(BATCHES)]
    return iter([[Put("agent", id_, agent(id_), "absent")] for id_ in ids])


def _commits_per_second(store: Store, batches: Iterator[Batch]) -> float:
    """Commit one batch after another for SECONDS, or until there is nothing left."""
    began, done = time.monotonic(), 0
    for batch in batches:
        store.commit(batch)
        done += 1
        if time.monotonic() - began > SECONDS:
            break
    return done / (time.monotonic() - began)


async def _grouped_commits_per_second(store: Store, writers: int, batches: Iterator[Batch]) -> float:
    """Commit from coroutines for SECONDS, or until there is nothing left."""
    began = time.monotonic()
    group = GroupCommitter(store)

    async def work() -> int:
        acknowledged = 0
        for batch in batches:
            await group.commit(batch)
            acknowledged += 1
            if time.monotonic() - began > SECONDS:
                break
        return acknowledged

    try:
        done = await asyncio.gather(*(work() for _ in range(writers)))
        return sum(done) / (time.monotonic() - began)
    finally:
        group.close()


def _time(times: list[float], call: Callable[[], object]) -> None:
    begin = time.perf_counter()
    call()
    times.append(time.perf_counter() - begin)


def _text(number: int) -> str:
    return "".join(f"{number * 31 + line * 17} lines of instructions that say what to do. " for line in range(130))[
        :TEXT_BYTES
    ]
