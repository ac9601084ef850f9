"""Many threads at one store. A race that didn't happen, on a busy machine for one, proves nothing and is told so."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Conflict, Delete, Put, RevisionConflict, Store
from stores.suite.check import Bench, Checks, NotProven, fail, same
from stores.suite.linearizability import Event, Ruling, judge, overlapping
from stores.suite.samples import agent, ids_of, instance, put

checks = Checks()
THREADS = 8
ROUNDS = 12
CREATIONS = 40
"""Of each thread: with 12 of them one run in five didn't see that a position was read after the lock was given back."""
DEADLINE_SECONDS = 60
HISTORY_THREADS = 4
HISTORY_OPERATIONS = 6
WRITES_MAX = 20_000
NEW_MAX = 100
"""So many of the new resources are kept while paging."""
PAGING_SECONDS_MAX = 30
"""By the clock, not by rounds: how many writes fall into one round depends on the store and on the machine."""
OVERWRITING_SECONDS = 1.0
STATES_SEEN = 3
"""Different states that readers must have met for a race to count as one."""


@checks("race-unique")
def race_unique(bench: Bench) -> None:
    """Of many threads that create resources with one unique key, exactly one succeeds, again and again."""
    store = bench.store

    def create(round_number: int, thread: int) -> str:
        try:
            store.commit([put(f"r{round_number}t{thread}", slug=f"s{round_number}", when="absent")])
        except Conflict:
            return "refused"
        return "created"

    for round_number in range(ROUNDS):
        outcomes = Counter(together([lambda t=t, r=round_number: create(r, t) for t in range(THREADS)]))  # type: ignore[misc] # binds the loop's values
        same(f"round {round_number}", outcomes, {"created": 1, "refused": THREADS - 1})
    same("count", store.count("agent"), ROUNDS)


@checks("race-lost-update")
def race_lost_update(bench: Bench) -> None:
    """Read, change, write with `expect`, from many threads: no increment is lost, and the stale ones are refused."""
    store = bench.store
    store.commit([Put("agent", "counter", agent("counter", text="0"))])
    all_have_read = threading.Barrier(THREADS)
    refusals: list[int] = []

    def increment() -> None:
        for _ in range(ROUNDS):
            stale = _read_counter(store)
            all_have_read.wait(DEADLINE_SECONDS)
            while not _write_counter(store, stale):
                refusals.append(1)
                stale = _read_counter(store)
            all_have_read.wait(DEADLINE_SECONDS)

    together([increment] * THREADS)
    same("the counter", _read_counter(store)[0], THREADS * ROUNDS)
    if len(refusals) < ROUNDS * (THREADS - 1):
        fail(f"only {len(refusals)} stale writes were refused")


def _read_counter(store: Store) -> tuple[int, int]:
    """Return value and revision."""
    record = store.get_record("agent", "counter")
    if record is None:
        fail("the counter vanished")
    return int(Agent.FromString(record.data).spec.instructions), record.revision


def _write_counter(store: Store, read: tuple[int, int]) -> bool:
    value, revision = read
    try:
        store.commit([Put("agent", "counter", agent("counter", text=str(value + 1)), "present", revision)])
    except RevisionConflict:
        return False
    return True


@checks("race-torn-batch")
def race_torn_batch(bench: Bench) -> None:
    """A listing never shows half of a batch, however many are written meanwhile."""
    store = bench.store
    names = ["a", "b", "c"]
    store.commit([Put("agent", name, agent(name, org="0")) for name in names])
    done = threading.Event()
    seen: set[str] = set()

    def write() -> None:
        try:
            for number in range(1, WRITES_MAX):
                store.commit([Put("agent", name, agent(name, org=str(number))) for name in names])
                if len(seen) >= STATES_SEEN and number >= THREADS * ROUNDS:
                    return
        finally:
            done.set()

    def read() -> None:
        while not done.is_set():
            orgs = [Agent.FromString(record.data).metadata.org for record in store.scan("agent")]
            if len(set(orgs)) != 1 or len(orgs) != len(names):
                fail(f"a listing showed {orgs}")
            seen.add(orgs[0])

    together([write, read, read, read])
    if len(seen) < STATES_SEEN:
        raise NotProven(f"the readers saw {len(seen)} states only")


@checks("race-overwrite")
def race_overwrite(bench: Bench) -> None:
    """A resource that is overwritten is there at every moment, in one state or the other; its writer reads the new."""
    store, least = bench.store, time.monotonic() + OVERWRITING_SECONDS
    store.commit([put("a", slug="s0")])
    done = threading.Event()
    seen: set[str] = set()

    def write() -> None:
        try:
            for number in range(1, WRITES_MAX):
                store.commit([put("a", slug=f"s{number}", when="present")])
                same("what was just committed", _slugs_read(store), [f"s{number}"] * 3)
                if done.is_set() or (len(seen) >= STATES_SEEN and time.monotonic() > least):
                    return
        finally:
            done.set()

    def read() -> None:
        while not done.is_set():
            data = store.get_bytes("agent", "a")
            if data is None:
                fail("the resource was missing for a moment")
            seen.add(Agent.FromString(data).metadata.slug)

    with restless_threads():
        together([write, read, read])
    if len(seen) < STATES_SEEN:
        raise NotProven(f"the readers saw {len(seen)} states only")


def _slugs_read(store: Store) -> list[str]:
    """Return the slug of the resource as each way to read it says."""
    message, record = store.get("agent", "a"), store.get_record("agent", "a")
    read = (store.get_bytes("agent", "a"), record and record.data, message and message.SerializeToString())
    return [Agent.FromString(each or b"").metadata.slug for each in read]


@checks("race-linearizable")
def race_linearizable(bench: Bench) -> None:
    """For each key, some order of the concurrent writes, removals and reads explains every answer."""
    store = bench.store
    overlapped = 0
    for round_number in range(ROUNDS):
        id_ = f"r{round_number}"
        events: list[Event] = []
        start = threading.Barrier(HISTORY_THREADS)
        works = [partial(_use, store, id_, thread, events, start) for thread in range(HISTORY_THREADS)]
        with restless_threads():
            together(works)
        overlapped += overlapping(events)
        answer = judge(events)
        if answer is not Ruling.LINEARIZABLE:
            fail(f"the history of {id_!r} is {answer.value}: {sorted(events, key=lambda event: event.called)}")
    if not overlapped:
        raise NotProven("no operations overlapped")


@contextmanager
def restless_threads() -> Iterator[None]:
    """Let the interpreter change threads within operations, not every 5 ms only."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _use(store: Store, id_: str, thread: int, events: list[Event], start: threading.Barrier) -> None:
    """Write, remove and read one key, and note when each operation was called and answered."""
    start.wait(DEADLINE_SECONDS)
    for number in range(HISTORY_OPERATIONS):
        value: str | None = f"t{thread}n{number}"
        called = time.perf_counter()
        if (thread + number) % 3 == 0:
            data = store.get_bytes("agent", id_)
            value = Agent.FromString(data).spec.instructions if data is not None else None
            events.append(Event(called, time.perf_counter(), value, is_write=False))
            continue
        if (thread + number) % 5 == 0:
            value = None
            store.commit([Delete("agent", id_)])
        else:
            store.commit([Put("agent", id_, agent(id_, text=value or ""))])
        events.append(Event(called, time.perf_counter(), value, is_write=True))


@checks("race-pages")
def race_pages(bench: Bench) -> None:
    """Paging while others write: what is there from start to end is seen exactly once, in order."""
    store = bench.store
    constant = [f"keep{number:02d}" for number in range(30)]
    for number, id_ in enumerate(constant):
        store.commit([put(id_), put(f"gone{number}")])
    done = threading.Event()
    written: list[int] = []

    def write() -> None:
        for number in range(WRITES_MAX):
            changed = put(constant[number % len(constant)], slug=f"u{number}")
            gone = [Delete("agent", f"gone{number}"), Delete("agent", f"new{number - NEW_MAX}")]
            store.commit([*gone, put(f"new{number}"), changed])
            written.append(number)
            if done.is_set():
                return

    def page() -> None:
        try:
            overlapping_rounds = 0
            deadline = time.monotonic() + PAGING_SECONDS_MAX
            while time.monotonic() < deadline:
                before = len(written)
                _check_pages(store, constant)
                overlapping_rounds += len(written) > before
                if overlapping_rounds >= STATES_SEEN:
                    return
            raise NotProven("nothing was written while paging")
        finally:
            done.set()

    together([write, page])


@checks("race-positions")
def race_positions(bench: Bench) -> None:
    """Positions given to many threads are unique, and each answer is the position of what was created."""
    store = bench.store
    answers: dict[str, int] = {}

    def create(thread: int) -> None:
        for number in range(CREATIONS):
            id_ = f"t{thread}n{number}"
            answers[id_] = store.commit([Put("agent_instance", id_, instance(id_, "a"), "absent")])

    with restless_threads():
        together([lambda t=t: create(t) for t in range(THREADS)])  # type: ignore[misc] # binds the loop's value
    stored = {record.id: record.position for record in store.scan("agent_instance")}
    same("positions", stored, answers)
    same("distinct", len(set(stored.values())), THREADS * CREATIONS)
    same("count", store.count("agent_instance", index="agent", key=("a",)), THREADS * CREATIONS)


@checks("race-close")
def race_close(bench: Bench) -> None:
    """A close under load ends: running operations finish or are refused with StoreClosed, and none crashes."""
    store = bench.store
    store.commit([put("a")])
    started = threading.Barrier(THREADS + 1)
    reasons: list[str] = []

    def work(thread: int) -> None:
        started.wait(DEADLINE_SECONDS)
        try:
            for number in range(100_000):
                store.commit([put(f"t{thread}n{number}")])
                list(store.scan("agent", limit=5))
                store.get("agent", "a")
        except Exception as error:  # noqa: BLE001 - the check is which one it is
            reasons.append(type(error).__name__)

    def close() -> None:
        started.wait(DEADLINE_SECONDS)
        store.close()

    together([*[lambda t=t: work(t) for t in range(THREADS)], close])
    same("how the threads ended", Counter(reasons), {"StoreClosed": THREADS})


def _check_pages(store: Store, constant: list[str]) -> None:
    seen: list[str] = []
    after, last = 0, store.last_position()  # a faster writer could keep the end away for ever
    while after < last:
        page = list(store.scan("agent", after=after, limit=7))
        if not page:
            break
        seen.extend(ids_of(page))
        after = page[-1].position
    kept = [id_ for id_ in seen if id_.startswith("keep")]
    same("resources seen on the pages", kept, constant)
    same("resources seen twice", len(seen) - len(set(seen)), 0)


def together(works: Sequence[Callable[[], object]]) -> list[object]:
    """Run functions at the same time and return their answers; the first error is raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        return [future.result(DEADLINE_SECONDS) for future in futures]
