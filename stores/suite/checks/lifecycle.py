"""Opening, closing, reopening, compacting, and a second one at the door."""

from __future__ import annotations

import subprocess
import time
from itertools import islice

from protos.parity.v1.event_pb2 import CloudEvent
from stores.contract import (
    Access,
    Batch,
    Capabilities,
    Conflict,
    Delete,
    IndexKey,
    InvalidOperation,
    Put,
    Record,
    Store,
    StoreClosed,
    StoreLocked,
)
from stores.schema import Index, Kind
from stores.suite.check import Bench, Checks, fail, is_persistent, refused, same
from stores.suite.samples import ORG, agent, event, everything, fill, ids_of, instance, policy, put, slug_key

checks = Checks()
_COMMAND_TIMEOUT_SECONDS = 60
_SHRINK_TIMEOUT_SECONDS = 5


def is_exclusive(capabilities: Capabilities) -> bool:
    """A need: a second opener is refused."""
    return capabilities.exclusive and capabilities.persistent


@checks("open-empty")
def open_empty(bench: Bench) -> None:
    """A new store is empty."""
    same("last_position", bench.store.last_position(), 0)
    same("contents", {kind: records for kind, records in everything(bench.store).items() if records}, {})
    same("count", bench.store.count("agent"), 0)


@checks("reopen-keeps", applies=is_persistent)
def reopen_keeps(bench: Bench) -> None:
    """What was committed is there after reopening: messages, positions, revisions, indexes and counts."""
    store = bench.store
    fill(store, ["a", "b", "c"])
    store.commit([put("a", slug="new"), Delete("agent", "b"), Put("agent_instance", "i", instance("i", "a"))])
    store.commit([Put("iam_policy", "p", policy("p", "owner")), Put("event", "e", event("e", "a"))])
    before, last = everything(store), store.last_position()
    store = bench.reopen()
    same("contents", everything(store), before)
    same("last_position", store.last_position(), last)
    same("count", store.count("agent", index="org", key=("acme",)), 2)
    same("find", store.find("agent", "slug_key", slug_key("new")), "a")
    same("find the removed", store.find("agent", "slug", ("b",)), None)


def _numbers_go_on(store: Store, name: str, last: int, old: Record | None) -> None:
    """The last position is known; what is put again under a removed id has a later position and revision."""
    same("last_position", store.last_position(), last)
    position = store.commit([put(name)])
    new = store.get_record("agent", name)
    if position <= last or new is None or old is None or new.revision <= old.revision:
        fail(f"numbers came back: position {position} after {last}, record {new} after {old}")


@checks("reopen-goes-on", applies=is_persistent)
def reopen_goes_on(bench: Bench) -> None:
    """After reopening, positions and revisions go on; those of removed resources don't come back."""
    store = bench.store
    fill(store, ["a", "b"])
    store.commit([put("a", slug="x")])
    old = store.get_record("agent", "a")
    last = store.last_position()
    store.commit([Delete("agent", "b"), Delete("agent", "a")])
    store = bench.reopen()
    _numbers_go_on(store, "a", last, old)


@checks("compact-goes-on", applies=is_persistent)
def compact_goes_on(bench: Bench) -> None:
    """Compacting keeps the numbers given out: opened again, positions and revisions of the removed don't come back."""
    store = bench.store
    fill(store, ["a", "b"])
    old, last = store.get_record("agent", "b"), store.last_position()
    store.commit([Delete("agent", "b")])
    store.compact()
    store = bench.reopen()
    _numbers_go_on(store, "b", last, old)


@checks("open-other-schema")
def open_other_schema(bench: Bench) -> None:
    """A store keeps the kinds and indexes of the schema that it is opened with, and no others."""
    own: dict[str, Kind] = {
        "note": Kind("note", CloudEvent, (Index("name", unique=True), Index("sort")), _note_entries)
    }
    store = bench.open_for(f"{bench.name}-own", Access.CREATE, own)
    store.commit([Put("note", "a", event("a", "x")), Put("note", "b", event("b", "y"))])
    taken: Batch = [Put("note", "c", event("c", "x"))]
    error = refused("a name again", Conflict, lambda: store.commit(taken))
    same("the conflict", (error.key, error.holder_id, error.index), (("x",), "a", "name"))
    same("by sort", ids_of(store.scan("note", index="sort", key=("created", "suite"))), ["a", "b"])
    same("find", store.find("note", "name", ("y",)), "b")
    refused("another schema's kind", InvalidOperation, lambda: store.count("agent"))
    refused("a put of it", InvalidOperation, lambda: store.commit([put("a")]))
    refused("another schema's index", InvalidOperation, lambda: store.find("note", "slug", ("x",)))


def _note_entries(note: CloudEvent) -> list[tuple[str, IndexKey]]:
    return [("name", (note.subject,)), ("sort", (note.type, note.source))]


@checks("open-twice", applies=is_exclusive)
def open_twice(bench: Bench) -> None:
    """A second opener in the same process is refused, and the first goes on."""
    bench.store.commit([put("a")])
    refused("open", StoreLocked, lambda: bench.open(bench.name))
    bench.store.commit([put("b")])
    same("agents", ids_of(bench.store.scan("agent")), ["a", "b"])


@checks("open-in-second-process", applies=is_exclusive)
def open_in_second_process(bench: Bench) -> None:
    """A second process is refused while the first has the store open, and let in afterwards."""
    bench.store.commit([put("a")])
    command = _check_second_process(bench)
    bench.store.close()
    third = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_SECONDS)
    same("exit of a process after the close", (third.returncode, third.stderr), (0, ""))


def _check_second_process(bench: Bench) -> list[str]:
    """Let another process open the store, which must be refused; return its command."""
    command = bench.subject.open_command(bench.name)
    if command is None:
        fail("an exclusive store needs a command that opens it in a second process")
    second = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_SECONDS)
    if second.returncode == 0 or "StoreLocked" not in second.stderr:
        fail(f"a second process wasn't refused with StoreLocked: exit {second.returncode}, {second.stderr[-300:]}")
    return command


@checks("compact-keeps-lock", applies=is_exclusive)
def compact_keeps_lock(bench: Bench) -> None:
    """A second opener, here or in another process, is refused after compacting, too."""
    bench.store.commit([put("a")])
    bench.store.compact()
    bench.store.commit([put("b")])
    refused("open", StoreLocked, lambda: bench.open(bench.name))
    _check_second_process(bench)
    same("agents", ids_of(bench.store.scan("agent")), ["a", "b"])


@checks("closed-refuses")
def closed_refuses(bench: Bench) -> None:
    """A closed store answers every operation with StoreClosed; closing again is no error."""
    store = bench.store
    fill(store, ["a", "b"])
    running = store.scan("agent")
    next(running)
    store.close()
    store.close()
    calls = {
        "commit": lambda: store.commit([put("c")]),
        "commit of nothing": lambda: store.commit([]),
        "commit_many of nothing": lambda: store.commit_many([]),
        "commit_many": lambda: store.commit_many([[put("c")]]),
        "get": lambda: store.get("agent", "a"),
        "get_bytes": lambda: store.get_bytes("agent", "a"),
        "get_record": lambda: store.get_record("agent", "a"),
        "find": lambda: store.find("agent", "slug", ("a",)),
        "scan": lambda: list(store.scan("agent")),
        "scan for nothing": lambda: list(store.scan("agent", limit=0)),
        "scan after the end": lambda: list(store.scan("agent", after=99)),
        "scan by a key of nobody": lambda: list(store.scan("agent", index="slug", key=("none",))),
        "scan under way": lambda: list(running),
        "count": lambda: store.count("agent"),
        "last_position": store.last_position,
        "size_on_disk": store.size_on_disk,
        "compact": store.compact,
    }
    for what, call in calls.items():
        refused(what, StoreClosed, call)


@checks("with-closes")
def with_closes(bench: Bench) -> None:
    """A store is a context manager that closes at the end."""
    with bench.store as store:
        if store is not bench.store:
            fail("`with store as x` gives something else than the store")
        store.commit([put("a")])
    refused("count", StoreClosed, lambda: store.count("agent"))


@checks("compact-keeps")
def compact_keeps(bench: Bench) -> None:
    """Compacting changes nothing that can be read, not even in a listing that was begun before what it gives back."""
    store = bench.store
    fill(store, [f"a{number}" for number in range(20)])
    running = [store.scan("agent"), store.scan("agent", index="org", key=(ORG,))]
    begun = [ids_of(islice(scan, 5)) for scan in running]
    store.commit([Delete("agent", f"a{number}") for number in range(0, 20, 2)])
    before = everything(store)
    store.compact()
    same("contents", everything(store), before)
    for scan, first in zip(running, begun, strict=True):
        same("a listing under way", first + ids_of(scan), [f"a{number}" for number in range(20)])
    store.commit([put("later")])
    same("count", store.count("agent"), 11)


@checks("size-on-disk", applies=is_persistent)
def size_on_disk(bench: Bench) -> None:
    """The size on disk covers what was stored, and compacting gives back what was removed."""
    store = bench.store
    empty = store.size_on_disk().allocated_bytes
    noise = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(20_000))
    store.commit([Put("agent", f"a{number}", agent(f"a{number}", text=noise[number:])) for number in range(20)])
    full = store.size_on_disk().allocated_bytes
    if full < empty + 200_000:
        fail(f"20 messages of 60 kB went from {empty} allocated bytes to {full}")
    if store.capabilities.compactable:
        _check_compaction(store, full)


def _check_compaction(store: Store, full: int) -> None:
    store.compact()
    for number in range(20):
        store.commit([Delete("agent", f"a{number}")])
    store.compact()
    deadline = time.monotonic() + _SHRINK_TIMEOUT_SECONDS
    while store.size_on_disk().allocated_bytes >= full:  # engines remove files in the background
        if time.monotonic() > deadline:
            fail(f"an emptied, compacted store takes {store.size_on_disk().allocated_bytes} bytes, full it took {full}")
        time.sleep(0.05)


@checks("capabilities")
def capabilities(bench: Bench) -> None:
    """The store says what it is: engine, codec, durability."""
    declared = bench.store.capabilities
    if not declared.engine or not declared.codec:
        fail(f"capabilities without engine or codec: {declared}")
    if not declared.persistent:
        same("size of a store without files", bench.store.size_on_disk().apparent_bytes, 0)
