"""Races over several kinds: a batch is one moment for all that it writes, and its conditions hold in that moment."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count, pairwise

from stores.contract import Batch, Conflict, Delete, Present, Put, Store, Vacant
from stores.suite.check import Bench, Checks, NotProven, fail
from stores.suite.checks.concurrency import restless_threads, together
from stores.suite.checks.kinds import message_of
from stores.suite.samples import agent, instance, put

checks = Checks()
TORN = ("agent", "agent_instance", "environment")
SECONDS = 1.0
"""So long a race lasts at least; by the clock, as a store that syncs does less in it."""
STATES_SEEN = 5
"""Different states that readers must have met for a race to count as one."""
SECONDS_MAX = 20.0


@checks("race-torn-kinds")
def torn_kinds(bench: Bench) -> None:
    """Who reads one kind and then another never meets half of a batch that writes both."""
    store, begun = bench.store, time.monotonic()
    done = threading.Event()
    seen: set[str] = set()

    def write() -> None:
        for number in count(1):
            store.commit([_numbered(kind, number) for kind in TORN])
            if done.is_set() or _is_over(begun, met=len(seen) >= STATES_SEEN):
                return

    def read(one: str, other: str) -> None:
        while not done.is_set():
            before, between, after = (_number_of(store, kind) for kind in (one, other, one))
            if before == after != between:
                fail(f"{one} was of batch {before}, then {other} of {between}, then {one} of {after}")
            seen.add(between)

    store.commit([_numbered(kind, 0) for kind in TORN])
    works: list[Callable[[], None]] = [write, *(partial(read, *pair) for pair in pairwise((*TORN, TORN[0])))]
    with restless_threads():
        together([partial(_ending, done, work) for work in works])
    if len(seen) < STATES_SEEN:
        raise NotProven(f"the readers saw {len(seen)} states only")


def _ending(done: threading.Event, work: Callable[[], None]) -> None:
    """Do one's part; whoever ends, by a failure too, ends the race."""
    try:
        work()
    finally:
        done.set()


def _is_over(begun: float, *, met: bool) -> bool:
    """Say whether a race has lasted: if those who take part never met, for longer."""
    return time.monotonic() > begun + (SECONDS if met else SECONDS_MAX)


def _numbered(kind: str, number: int) -> Put:
    return Put(kind, "a", message_of(kind, "a", "x", str(number)))


def _number_of(store: Store, kind: str) -> str:
    message = store.get(kind, "a")
    if message is None:
        fail(f"{kind} was missing for a moment")
    return str(message.metadata.org)  # type: ignore[attr-defined] # these kinds have it


@checks("race-conditions")
def conditions(bench: Bench) -> None:
    """Present and Vacant hold in the moment of the commit: an instance never stands without its agent."""
    store, begun = bench.store, time.monotonic()
    done = threading.Event()
    refusals: Counter[str] = Counter()
    create: Batch = [Put("agent_instance", "i", instance("i", "a"), "absent"), Present("agent", "a")]
    remove: Batch = [Delete("agent", "a", "present"), Vacant("agent_instance", "agent", ("a",))]

    def again_and_again(what: str, batch: Batch, undo: Batch, is_wrong: Callable[[], bool]) -> None:
        while not done.is_set() and not _is_over(begun, met=len(refusals) == len(works)):
            try:
                store.commit(batch)
            except Conflict:
                refusals[what] += 1
                continue
            if is_wrong():
                fail(f"{what} was acknowledged, and an instance stands without its agent")
            store.commit(undo)

    store.commit([put("a")])
    creating = ("a creation", create, [Delete("agent_instance", "i")], lambda: store.get("agent", "a") is None)
    removing = ("a removal", remove, [Put("agent", "a", agent("a"))], lambda: store.count("agent_instance") > 0)
    works = [partial(again_and_again, *one) for one in (creating, removing)]
    with restless_threads():
        together([partial(_ending, done, work) for work in works])
    if len(refusals) < len(works):
        raise NotProven(f"creations and removals never met: {dict(refusals)} refused")
