"""Listing: order, cursors, limits, and one consistent state."""

from __future__ import annotations

from itertools import islice
from typing import Any

from stores.contract import Delete, Put
from stores.suite.check import Bench, Checks, fail, same
from stores.suite.outcomes import seen
from stores.suite.samples import ORG, agent, as_bytes, fill, ids_of, instance, put, slug_key

checks = Checks()
LONG = 1500
"""Resources of a long listing: more than a page of any store that reads by pages."""
OPEN_AT_ONCE = 300
"""Listings under way together: more than a table of readers has by default (LMDB: 126)."""
BEYOND = (-1, -50, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70)


@checks("scan-order")
def order(bench: Bench) -> None:
    """A listing is in the order of creation, whatever the ids and updates."""
    store = bench.store
    fill(store, ["m", "z", "a", "n"])
    store.commit([put("m", slug="updated")])
    same("all", ids_of(store.scan("agent")), ["m", "z", "a", "n"])
    same("by org", ids_of(store.scan("agent", index="org", key=("acme",))), ["m", "z", "a", "n"])


@checks("scan-order-many")
def order_many(bench: Bench) -> None:
    """The order holds over byte boundaries of the position (more than 256 resources)."""
    ids = [f"a{number * 7919 % 1000:03d}" for number in range(300)]
    bench.store.commit([put(id_) for id_ in ids])
    same("all", ids_of(bench.store.scan("agent")), ids)
    positions = [record.position for record in bench.store.scan("agent")]
    same("positions grow", positions, sorted(set(positions)))


@checks("scan-records")
def records(bench: Bench) -> None:
    """A listing's records are those that get_record answers."""
    store = bench.store
    fill(store, ["a", "b"])
    store.commit([put("a", slug="s")])
    for record in store.scan("agent"):
        same(record.id, record, store.get_record("agent", record.id))
    same("messages", [record.data for record in store.scan("agent")], [_bytes("a", "s"), _bytes("b", "b")])


@checks("scan-after")
def after(bench: Bench) -> None:
    """A cursor goes on behind a position, also when the resource that gave it is gone."""
    store = bench.store
    fill(store, ["a", "b", "c", "d"])
    b = store.get_record("agent", "b")
    if b is None:
        fail("get_record found nothing")
    same("all", ids_of(store.scan("agent", after=b.position)), ["c", "d"])
    store.commit([Delete("agent", "b")])
    same("after a removed one", ids_of(store.scan("agent", after=b.position)), ["c", "d"])
    same("by org", ids_of(store.scan("agent", index="org", key=("acme",), after=b.position)), ["c", "d"])
    same("after the end", ids_of(store.scan("agent", after=store.last_position())), [])


@checks("scan-limit")
def limit(bench: Bench) -> None:
    """A limit cuts the listing; 0 is nothing, more than there is is all."""
    store = bench.store
    fill(store, ["a", "b", "c"])
    for number in range(5):
        same(f"limit {number}", ids_of(store.scan("agent", limit=number)), ["a", "b", "c"][:number])
        by_org = ids_of(store.scan("agent", index="org", key=("acme",), limit=number))
        same(f"by org, limit {number}", by_org, ["a", "b", "c"][:number])


@checks("scan-unique-index")
def unique_index(bench: Bench) -> None:
    """A unique index lists its one resource, with cursor and limit like any other."""
    store = bench.store
    fill(store, ["a", "b"])
    key = slug_key("b")
    same("scan", ids_of(store.scan("agent", index="slug_key", key=key)), ["b"])
    same("after", ids_of(store.scan("agent", index="slug_key", key=key, after=store.last_position())), [])
    same("limit 0", ids_of(store.scan("agent", index="slug_key", key=key, limit=0)), [])
    same("free key", ids_of(store.scan("agent", index="slug_key", key=slug_key("c"))), [])


@checks("scan-one-state")
def one_state(bench: Bench) -> None:
    """A listing shows the state at its call, whatever is committed while it runs."""
    store = bench.store
    fill(store, ["a", "b", "c", "d"])
    running = [store.scan("agent"), store.scan("agent", index="org", key=("acme",))]
    late = [store.scan("agent"), store.scan("agent", index="org", key=("acme",))]
    begun = [ids_of(islice(scan, 1)) for scan in running]
    store.commit([Delete("agent", "c"), put("d", slug="changed"), put("e")])
    for scan, first in zip(running, begun, strict=True):
        rest = list(scan)
        same("ids", first + ids_of(rest), ["a", "b", "c", "d"])
        same("message of d", rest[-1].data, _bytes("d", "d"))
    for scan in late:
        same("ids of a listing called before, read after", ids_of(scan), ["a", "b", "c", "d"])
    same("new listing", ids_of(store.scan("agent")), ["a", "b", "d", "e"])


@checks("scan-long-one-state")
def long_one_state(bench: Bench) -> None:
    """A long listing, too, shows the state at its call to its end, wherever it was when others committed."""
    store, ids = bench.store, [f"a{number}" for number in range(LONG)]
    store.commit([as_bytes(put(id_)) for id_ in ids])
    places: tuple[dict[str, Any], ...] = ({}, {"index": "org", "key": (ORG,)})
    wanted = [seen(record) for record in store.scan("agent")]
    same("ids", [each[0] for each in wanted], ids)
    begun = [(place, read, store.scan("agent", **place)) for place in places for read in (0, 1, LONG // 2)]
    first = [[seen(record) for record in islice(scan, read)] for _, read, scan in begun]
    changed = [Delete("agent", id_) for id_ in ids[5::10]]
    store.commit([*changed, *(put(id_, org="else") for id_ in ids[7::10]), *(put(f"new{id_}") for id_ in ids[:3])])
    for (place, read, scan), start in zip(begun, first, strict=True):
        same(f"listing of {LONG} {place or 'whole'}, {read} read before", start + list(map(seen, scan)), wanted)
    same("new listing", len(list(store.scan("agent"))), LONG - LONG // 10 + 3)
    same("new listing by org", len(list(store.scan("agent", **places[1]))), LONG - LONG // 10 * 2 + 3)


@checks("scan-many-open")
def many_open(bench: Bench) -> None:
    """Hundreds of listings may be under way at once, and each shows the state at its call."""
    store = bench.store
    fill(store, ["a", "b", "c"])
    places: tuple[dict[str, Any], ...] = ({}, {"index": "org", "key": (ORG,)})
    running = [store.scan("agent", **places[number % 2]) for number in range(OPEN_AT_ONCE)]
    begun = [ids_of(islice(scan, number % 3)) for number, scan in enumerate(running)]
    store.commit([Delete("agent", "c"), put("d")])
    for number, scan in enumerate(running):
        same(f"listing {number} of {OPEN_AT_ONCE}", begun[number] + ids_of(scan), ["a", "b", "c"])


@checks("scan-any-number")
def any_number(bench: Bench) -> None:
    """Any number is a cursor or a limit: one that is beyond all positions, or more than there are, or below 0."""
    store = bench.store
    fill(store, ["a", "b", "c"])
    places: tuple[dict[str, Any], ...] = (
        {},
        {"index": "org", "key": (ORG,)},
        {"index": "slug_key", "key": slug_key("b")},
    )
    for place in places:
        everyone = ids_of(store.scan("agent", **place))
        for number in BEYOND:
            wanted = everyone if number < 0 else []
            same(f"after {number} {place}", ids_of(store.scan("agent", after=number, **place)), wanted)
            wanted = [] if number < 0 else everyone
            same(f"limit {number} {place}", ids_of(store.scan("agent", limit=number, **place)), wanted)


@checks("scan-abandoned")
def abandoned(bench: Bench) -> None:
    """Listings that nobody reads to the end don't hinder later commits, listings and the close."""
    store = bench.store
    fill(store, ["a", "b", "c"])
    for _ in range(40):
        next(store.scan("agent"))
        store.scan("agent", index="org", key=("acme",))
    kept = store.scan("agent")
    next(kept)
    store.commit([put("d")])
    store.compact()
    same("scan", ids_of(store.scan("agent")), ["a", "b", "c", "d"])
    same("the kept one", ids_of(kept), ["b", "c"])


@checks("scan-kinds-mixed")
def kinds_mixed(bench: Bench) -> None:
    """Kinds created in turn are listed apart, with cursors that count for all."""
    store = bench.store
    for number in range(6):
        store.commit([put(f"a{number}")])
        store.commit([Put("agent_instance", f"i{number}", instance(f"i{number}", f"a{number}"))])
    same("agents", ids_of(store.scan("agent")), [f"a{number}" for number in range(6)])
    third = store.get_record("agent", "a3")
    if third is None:
        fail("get_record found nothing")
    same("instances", ids_of(store.scan("agent_instance", after=third.position)), ["i3", "i4", "i5"])


@checks("position-not-reused")
def position_not_reused(bench: Bench) -> None:
    """A position is never given out twice, not even that of a removed last resource."""
    store = bench.store
    fill(store, ["a", "b"])
    last = store.last_position()
    store.commit([Delete("agent", "b")])
    same("last_position after a removal", store.last_position(), last)
    again = store.commit([put("b")])
    if again <= last:
        fail(f"position {again} given out again after {last}")


def _bytes(id: str, slug: str) -> bytes:  # noqa: A002
    return agent(id, slug).SerializeToString(deterministic=True)
