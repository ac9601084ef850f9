"""Every kind and every index keeps the rules: what holds for one may be wrong for another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

from google.protobuf.message import Message

from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from protos.parity.v1.event_pb2 import Cursor, Revocation
from stores.contract import Batch, Conflict, Delete, IndexKey, Present, Put, RevisionConflict, Store, StoreError, Vacant
from stores.memory import MemoryStore
from stores.schema import KINDS
from stores.suite.check import Bench, Checks, fail, is_persistent, refused, same
from stores.suite.outcomes import seen, shown_batch, told
from stores.suite.samples import agent, event, instance, policy

checks = Checks()
SEQUENCE_STEPS = 3
MANY = 260
LIMITS = (*range(12), 16, 19, 20, 21, 31, 32, 33, 49, 50, 51, 63, 64, 65, 99, 100, 101, 127, 128, 129, 199, 200, 201)
LIMITS_LARGE = (249, 250, 251, 255, 256, 257, 259, 260, 261)
TEXT_LENGTHS = (0, 1, 127, 128, 191, 192, 255, 256, 1023, 1024, 4095, 4096, 4097, 65_535, 65_536, 1_048_577)
SHARED = ("org", "name")
"""What many resources have in common, so that they stand under one key."""
LOAD = 250
"""So many of each operation that a fault in one of 50 is missed with a probability of 0.98 ** 250, under 1 in 100."""


def message_of(kind: str, id_: str, name: str, org: str, text: str = "text") -> Message:  # noqa: PLR0911 - one row a kind
    """Return a resource of a kind whose index keys are made of a name and an organization."""
    match kind:
        case "agent":
            return agent(id_, name, org, text)
        case "agent_instance":
            made = instance(id_, f"of {name}", org)
            made.metadata.slug, made.metadata.name = name, text
            return made
        case "environment":
            environment = Environment(metadata=agent(id_, name, org).metadata)
            environment.metadata.name = text
            return environment
        case "iam_policy":
            granted = policy(id_, f"r {name}", f"p {org}", f"x {org}")
            granted.spec.principal.relation = f"m {org}"
            granted.metadata.name = text
            return granted
        case "event":
            told_event = event(id_, name)
            told_event.source = f"{org} {text}"
            return told_event
        case "revocation":
            return Revocation(policy=policy(id_, f"{name} {org} {text}").spec)
        case "cursor":
            return Cursor(name=f"{id_} {name} {org} {text}", position=len(name))
        case _:
            raise ValueError(f"the checks of all kinds know no message of kind {kind!r}: add one here")


def put(kind: str, id_: str, name: str, org: str, when: str = "any", expect: int | None = None) -> Put:
    """Return a put of such a resource."""
    return Put(kind, id_, message_of(kind, id_, name, org), when, expect)  # type: ignore[arg-type] # one of three


def steps_of(kind: str, space: str) -> list[Batch]:
    """Return the steps of sequences, on two resources whose keys collide, and on nothing outside of their space."""
    a, b, x, y, org = f"{space}a", f"{space}b", f"{space}x", f"{space}y", f"{space}o"
    return [
        [put(kind, a, x, org)],
        [put(kind, a, y, org, "present")],
        [put(kind, b, x, org, "absent")],
        [Delete(kind, a)],
        [Delete(kind, a, "present"), put(kind, a, y, f"{org}2", "absent")],
        [put(kind, b, x, f"{org}2"), put(kind, a, y, org), Present(kind, a)],
        [put(kind, a, x, f"{org}2"), Delete(kind, b), *_vacant(kind, b, y, org)],
    ]


def _vacant(kind: str, id_: str, name: str, org: str) -> list[Vacant]:
    entries = KINDS[kind].entries(message_of(kind, id_, name, org))
    return [Vacant(kind, index, key) for index, key in entries if index in ("slug", "tuple")]


@checks("kinds-sequences")
def sequences(bench: Bench) -> None:
    """Of every kind, each sequence of up to three steps on resources whose keys collide ends as in the memory store."""
    store = bench.store
    with MemoryStore() as model:
        for kind in KINDS:
            number = len(steps_of(kind, ""))
            longest = SEQUENCE_STEPS if KINDS[kind].indexes else SEQUENCE_STEPS - 1
            drawn = [row for length in range(1, longest + 1) for row in product(range(number), repeat=length)]
            spaces = {"".join(map(str, row)) + "-": row for row in drawn}
            for step in range(SEQUENCE_STEPS):
                group = [(s, steps_of(kind, s)[row[step]]) for s, row in spaces.items() if len(row) > step]
                got, wanted = (one.commit_many([batch for _, batch in group]) for one in (store, model))
                for (space, batch), ours, theirs in zip(group, got, wanted, strict=True):
                    same(f"{kind}, sequence {space} step {step + 1}, {shown_batch(batch)}", told(ours), told(theirs))
            same(f"{kind}: records", [seen(r) for r in store.scan(kind)], [seen(r) for r in model.scan(kind)])
            same(f"{kind}: count", store.count(kind), model.count(kind))
            for space in spaces:
                _compare_space(store, model, kind, space)
        same("last position", store.last_position(), model.last_position())


def _compare_space(store: Store, model: MemoryStore, kind: str, space: str) -> None:
    keys = {
        entry
        for name in ("x", "y")
        for org in ("o", "o2")
        for entry in KINDS[kind].entries(message_of(kind, "", space + name, space + org))
    }
    for index, key in sorted(keys):
        ours, theirs = ((one.find(kind, index, key), one.count(kind, index=index, key=key)) for one in (store, model))
        same(f"{kind}, sequence {space}, find and count under {index} {key!a}", ours, theirs)
        listed, right = ([r.id for r in one.scan(kind, index=index, key=key)] for one in (store, model))
        same(f"{kind}, sequence {space}, listing under {index} {key!a}", listed, right)
    for id_ in (f"{space}a", f"{space}b"):
        ours_record, right_record = (store.get_record(kind, id_), model.get_record(kind, id_))
        same(f"{kind} {id_!a}", ours_record and seen(ours_record), right_record and seen(right_record))


@checks("kinds-conditions")
def conditions(bench: Bench) -> None:
    """Every kind keeps absent, present, expect and Present, of puts and deletes, alone and in groups."""
    store = bench.store
    for kind in KINDS:
        store.commit([put(kind, "a", "x", "o")])
        first = _record(store, kind, "a")
        same(f"{kind}: answer of an update", store.commit([put(kind, "a", "y", "o")]), 0)
        same(f"{kind}: last position after an update", store.last_position(), first[1])
        refusals: tuple[tuple[Batch, type[StoreError]], ...] = (
            ([put(kind, "a", "z", "o", "absent")], Conflict),
            ([put(kind, "b", "z", "o", "present")], Conflict),
            ([Delete(kind, "b", "present")], Conflict),
            ([Delete(kind, "a", "absent")], Conflict),
            ([put(kind, "a", "z", "o", expect=first[2])], RevisionConflict),
            ([put(kind, "b", "z", "o", expect=first[2])], RevisionConflict),
            ([Delete(kind, "a", expect=first[2])], RevisionConflict),
            ([Delete(kind, "b", expect=first[2])], RevisionConflict),
            ([put(kind, "c", "c", "o"), Present(kind, "b")], Conflict),
            ([put(kind, "c", "c", "o"), put(kind, "c", "d", "o", "absent")], Conflict),
        )
        for batch, error in refusals:
            _check_refused(store, kind, batch, error)
        second = _record(store, kind, "a")
        changed = put(kind, "a", "z", "o")
        for earlier in (changed, Delete(kind, "a")):
            for later in (changed._replace(expect=second[2]), Delete(kind, "a", expect=second[2])):
                _check_refused(store, kind, [earlier, later], RevisionConflict)
        store.commit([put(kind, "a", "y", "o", "present", second[2])])
        third = _record(store, kind, "a")
        if not first[2] < second[2] < third[2]:
            fail(f"{kind}: revisions {first[2]}, {second[2]}, {third[2]} don't grow, the last put being of equal bytes")
        same(f"{kind}: position of an update", third[1], first[1])
        last = store.last_position()
        store.commit([Delete(kind, "a", "present", third[2])])
        same(f"{kind}: get, count and finds after a removal", _left(store, kind), (None, 0, {(None, 0)}))
        same(f"{kind}: last position after a removal", store.last_position(), last)
        position = store.commit([put(kind, "a", "x", "o", "absent")])
        again = _record(store, kind, "a")
        if position <= last or again[1] != position or again[2] <= third[2]:
            fail(f"{kind}: created again after {third[:3]} it has position {again[1]} and revision {again[2]}")
        _check_refused(store, kind, [put(kind, "a", "z", "o", expect=third[2])], RevisionConflict)


def _check_refused(store: Store, kind: str, batch: Batch, error: type[StoreError]) -> None:
    before = _all_of(store, kind)
    refused(f"commit of {shown_batch(batch)}", error, lambda: store.commit(batch))
    outcomes = store.commit_many([batch])
    same(f"commit_many of {shown_batch(batch)}", [type(outcome) for outcome in outcomes], [error])
    same(f"{kind} after {shown_batch(batch)} was refused", _all_of(store, kind), before)


def _record(store: Store, kind: str, id_: str) -> tuple[str, int, int, bytes | None]:
    record = store.get_record(kind, id_)
    if record is None:
        fail(f"{kind} {id_!a} isn't there")
    return seen(record)


def _all_of(store: Store, kind: str) -> object:
    """All of a kind, with its counts and what a find shows under the names and organizations that are used here."""
    keys = {entry for name in "xyzcd" for entry in KINDS[kind].entries(message_of(kind, "", name, "o"))}
    under = [(store.find(kind, *entry), store.count(kind, index=entry[0], key=entry[1])) for entry in sorted(keys)]
    return ([seen(record) for record in store.scan(kind)], store.count(kind), under, store.last_position())


def one_of_many(kind: str, id_: str, shared: str) -> Put:
    """Return the creation of one of many resources that share an organization, or a name in as many organizations."""
    name, org = (f"n{id_}", "o") if shared == "org" else ("n", f"o{id_}")
    made = message_of(kind, id_, name, org)
    if isinstance(made, IamPolicy) and shared == "name":
        made.spec.resource.id = "x"  # one userset
    return Put(kind, id_, made, "absent")


def _moved(kind: str, id_: str, shared: str) -> Put:
    """Return the update that takes a resource out of what it shares."""
    name, org = (f"n{id_}", "changed") if shared == "org" else ("changed", f"o{id_}")
    return put(kind, id_, name, org, "present")


def _left(store: Store, kind: str) -> tuple[Message | None, int, set[tuple[str | None, int]]]:
    """Return what is left of a kind and its keys once all is removed: nothing anywhere, if all is right."""
    keys = {entry for name in "xy" for entry in KINDS[kind].entries(message_of(kind, "", name, "o"))}
    under = {(store.find(kind, *entry), store.count(kind, index=entry[0], key=entry[1])) for entry in keys}
    return store.get(kind, "a"), store.count(kind), under | {(None, 0)}


def _many(store: Store, kind: str, shared: str, number: int = MANY) -> list[str]:
    ids = [f"{n * 7919 % 1000:03d}" for n in range(number)]
    store.commit([one_of_many(kind, id_, shared) for id_ in ids])
    return ids


def listings_of(kind: str, shared: str) -> Iterator[tuple[str | None, IndexKey | None]]:
    """Yield index and key of the listings in which all of `_many` stand: the kind itself, and some indexes."""
    yield None, None
    one, other = (set(KINDS[kind].entries(one_of_many(kind, id_, shared).message)) for id_ in ("1", "2"))
    yield from sorted(one & other)


@checks("kinds-pages")
def pages(bench: Bench) -> None:
    """Of every kind and index, pages of every size, from every place, are those of the whole listing."""
    for kind, shared in product(KINDS, SHARED):
        store = bench.store if shared == "org" else bench.open(f"{bench.name}-{shared}-{kind}")
        ids = _many(store, kind, shared)
        positions = {record.id: record.position for record in store.scan(kind)}
        same(f"{kind}: listing", list(positions), ids)
        for index, key in listings_of(kind, shared):
            if index or shared == "org":
                _check_pages(store, kind, index, key, [positions[id_] for id_ in ids])


def _check_pages(store: Store, kind: str, index: str | None, key: IndexKey | None, positions: Sequence[int]) -> None:
    named = f"{kind} by {index}" if index else kind

    def page(after: int, limit: int | None) -> list[int]:
        return [record.position for record in store.scan(kind, index=index, key=key, after=after, limit=limit)]

    same(f"{named}: count", store.count(kind, index=index, key=key), len(positions))
    for limit in (*LIMITS, *LIMITS_LARGE):
        same(f"{named}: first page of {limit}", page(0, limit), list(positions[:limit]))
        same(f"{named}: page of {limit} after the third", page(positions[2], limit), list(positions[3 : 3 + limit]))
    for place in range(0, len(positions), 3):
        same(f"{named}: two after place {place}", page(positions[place], 2), list(positions[place + 1 : place + 3]))
    for place in (0, 1, 99, 100, 127, 128, 199, len(positions) - 2, len(positions) - 1):
        same(f"{named}: all after place {place}", page(positions[place], None), list(positions[place + 1 :]))


@checks("kinds-one-state")
def one_state(bench: Bench) -> None:
    """Of every kind and index, a listing shows the state at its call, however far it was read when others commit."""
    for kind, shared in product(KINDS, SHARED):
        store = bench.store if shared == "org" else bench.open(f"{bench.name}-{shared}-{kind}")
        ids = _many(store, kind, shared)
        before = [seen(record) for record in store.scan(kind)]
        begun = [
            (index, store.scan(kind, index=index, key=key), read)
            for index, key in listings_of(kind, shared)
            for read in (0, 1, 100)
        ]
        shown_first = [[seen(record) for record in islice(scan, read)] for _, scan, read in begun]
        changed: Batch = [
            *(Delete(kind, id_) for id_ in ids[1::5]),
            *(_moved(kind, id_, shared) for id_ in ids[3::5]),
            *(one_of_many(kind, f"new{number}", shared) for number in range(5)),
        ]
        store.commit(changed)
        for (index, scan, read), first in zip(begun, shown_first, strict=True):
            rest = [seen(record) for record in scan]
            same(f"{kind} by {index or 'position'}, {read} read before others committed", first + rest, before)


@checks("kinds-private-copies")
def private_copies(bench: Bench) -> None:
    """Of every kind, a message is the caller's own, however often it was put or read before."""
    for kind in KINDS:
        made = put(kind, "a", "x", "o")
        wanted, message = message_of(kind, "a", "x", "o"), made.message
        bench.store.commit([made])
        if message is not None:
            message.Clear()
        for number in range(1, 4):
            read = bench.store.get(kind, "a")
            same(f"get number {number} of {kind}, the earlier copies being changed", read, wanted)
            if read is not None:
                read.Clear()


@checks("kinds-values")
def values(bench: Bench) -> None:
    """Of every kind, texts of every length come back whole from every read."""
    store = bench.store
    for kind in KINDS:
        made = {
            f"l{length}": message_of(kind, f"l{length}", f"n{length}", "o", "ä" * (length // 2) + "x" * (length % 2))
            for length in TEXT_LENGTHS
        }
        store.commit([Put(kind, id_, message, "absent") for id_, message in made.items()])
        for index, key in listings_of(kind, "org"):
            for record in store.scan(kind, index=index, key=key):
                told_where = f"{kind} {record.id}, listed by {index or 'position'}"
                same(told_where, KINDS[kind].message_type.FromString(record.data), made[record.id])
        for id_, message in made.items():
            same(f"get of {kind} {id_}", store.get(kind, id_), message)
            read = store.get_record(kind, id_)
            same(f"get_record of {kind} {id_}", read and read.data, store.get_bytes(kind, id_))
            data = store.get_bytes(kind, id_) or b""
            same(f"get_bytes of {kind} {id_}", KINDS[kind].message_type.FromString(data), message)


@checks("kinds-reopen", applies=is_persistent)
def reopen(bench: Bench) -> None:
    """Every kind is there after each of several reopenings: records, indexes, counts; and numbers go on."""
    for _ in range(3):
        store = bench.store
        for kind in KINDS:
            store.commit([put(kind, "a", "x", "o"), put(kind, "b", "y", "o"), put(kind, "c", "z", "o2")])
            store.commit([put(kind, "a", "y2", "o"), Delete(kind, "b")])
        before = {kind: _all_of(store, kind) for kind in KINDS}
        under = {kind: _under_keys(store, kind) for kind in KINDS}
        store.commit([put("agent", "last", "last", "o")])
        last = store.last_position()
        store.commit([Delete("agent", "last")])
        store = bench.reopen()
        same("last position", store.last_position(), last)
        for kind in KINDS:
            now = _all_of(store, kind)
            same(f"{kind} after reopening", _without_last(now), _without_last(before[kind]))
            same(f"{kind} under its keys after reopening", _under_keys(store, kind), under[kind])
            revision = _record(store, kind, "c")[2]
            store.commit([put(kind, "c", "z", "o", expect=revision)])
            if _record(store, kind, "c")[2] <= revision:
                fail(f"{kind}: a revision isn't larger after reopening")


def _without_last(state: object) -> object:
    return state[:3] if isinstance(state, tuple) else state


def _under_keys(store: Store, kind: str) -> dict[tuple[str, IndexKey], object]:
    made = (message_of(kind, "", *words) for words in (("y2", "o"), ("z", "o2"), ("x", "o")))
    return {
        (index, key): (store.find(kind, index, key), store.count(kind, index=index, key=key))
        for message in made
        for index, key in KINDS[kind].entries(message)
    }


@checks("load-every-answer")
def every_answer(bench: Bench) -> None:
    """Of hundreds of creates, updates and removals none is lost or half, and hundreds of reads are all right."""
    store, kinds = bench.store, list(KINDS)
    for number in range(LOAD):
        kind, id_ = kinds[number % len(kinds)], f"id{number}"
        old, older = number - len(kinds), number - 2 * len(kinds)
        batch: list[Put | Delete] = [put(kind, id_, f"n{number}", f"o{number}", "absent")]
        if older >= 0:
            batch.append(put(kind, f"id{old}", f"u{old}", f"o{old}", "present"))
            batch.append(Delete(kind, f"id{older}", "present"))
        same(f"answer of commit {number}", store.commit(batch), store.last_position())
        _check_there(store, kind, id_, f"n{number}", f"o{number}")
        if older >= 0:
            _check_there(store, kind, f"id{old}", f"u{old}", f"o{old}")
            same(f"get of {kind} id{older}, removed", store.get_record(kind, f"id{older}"), None)
            same(f"count of {kind}", store.count(kind), 2)
            same(f"listing of {kind}", [record.id for record in store.scan(kind)], [f"id{old}", id_])


def _check_there(store: Store, kind: str, id_: str, name: str, org: str) -> None:
    wanted = message_of(kind, id_, name, org)
    same(f"get of {kind} {id_}", store.get(kind, id_), wanted)
    record = store.get_record(kind, id_)
    same(f"get_bytes of {kind} {id_}", store.get_bytes(kind, id_), record and record.data)
    for index, key in KINDS[kind].entries(wanted):
        same(f"find of {kind} under {index} {key!a}", store.find(kind, index, key), id_)
        same(f"count of {kind} under {index} {key!a}", store.count(kind, index=index, key=key), 1)
        listed = [record.id for record in store.scan(kind, index=index, key=key)]
        same(f"listing of {kind} under {index} {key!a}", listed, [id_])
