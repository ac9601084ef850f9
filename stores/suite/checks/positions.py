"""Positions that a restore gives: gaps, refusals, numbers beyond 32 and 53 bits, and what comes after them."""

from __future__ import annotations

from itertools import product

from stores.contract import POSITION_MAX, Batch, Delete, InvalidOperation, Store
from stores.schema import KINDS
from stores.suite.check import Bench, Checks, refused, same
from stores.suite.checks.kinds import SHARED, listings_of, one_of_many, put
from stores.suite.outcomes import seen, shown_batch

checks = Checks()
FAR = (2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**53, 2**53 + 1, 2**62)


@checks("kinds-positions-given")
def given(bench: Bench) -> None:
    """A resource that is created gets the position that is given with it, and numbers go on from there."""
    store = bench.store
    for number, kind in enumerate(KINDS):
        start = 100 * (number + 1)
        batch: Batch = [
            put(kind, "a", "x", "o")._replace(position=start),
            put(kind, "b", "y", "o")._replace(position=start + 20),
            put(kind, "c", "z", "o"),
        ]
        same(f"answer of {shown_batch(batch)}", store.commit(batch), start + 21)
        same(f"positions of {kind}", [r.position for r in store.scan(kind)], [start, start + 20, start + 21])
        same(f"{kind} after a gap", [r.id for r in store.scan(kind, after=start + 5)], ["b", "c"])
        update = put(kind, "a", "x2", "o")._replace(position=start + 50)
        same("answer of an update with a position", store.commit([update]), 0)
        same(f"position of an updated {kind}", _position(store, kind, "a"), start)
        same("last position", store.last_position(), start + 21)
        gone: Batch = [put(kind, "d", "d", "o")._replace(position=start + 30), Delete(kind, "d")]
        same("answer of a batch that creates and removes", store.commit(gone), start + 30)


@checks("kinds-positions-refused")
def given_refused(bench: Bench) -> None:
    """A given position that isn't beyond the last one refuses the batch, alone and in a group, and leaves nothing."""
    store = bench.store
    for kind in KINDS:
        last = store.commit([put(kind, "a", "x", "o")._replace(position=store.last_position() + 7)])
        before = [seen(record) for record in store.scan(kind)]
        for position in (last, last - 1, last - 7, 1, 0, -1, POSITION_MAX + 1, 2**63, 2**64):
            batch: Batch = [put(kind, "b", "y", "o")._replace(position=position)]
            refused(f"position {position} after {last}", InvalidOperation, lambda batch=batch: store.commit(batch))  # type: ignore[misc] # binds the loop's value
            same("outcomes", [type(outcome) for outcome in store.commit_many([batch])], [InvalidOperation])
        for second in (2, 1):
            pair: Batch = [
                put(kind, id_, id_, "o")._replace(position=last + beyond) for id_, beyond in (("b", 2), ("c", second))
            ]
            what = f"positions {last + 2} and {last + second} in a batch"
            refused(what, InvalidOperation, lambda pair=pair: store.commit(pair))  # type: ignore[misc] # binds the loop's value
        same(f"{kind} afterwards", [seen(record) for record in store.scan(kind)], before)
        same("last position", store.last_position(), last)


@checks("kinds-positions-far")
def far(bench: Bench) -> None:
    """Positions beyond 32 and 53 bits stay what they are: in records, as cursors of every listing, after reopening."""
    for kind, shared in product(KINDS, SHARED):
        name = f"{bench.name}-{kind}-{shared}"
        store = bench.open(name)
        for number, position in enumerate(FAR):
            made = one_of_many(kind, f"a{number}", shared)._replace(position=position)
            same(f"answer for position {position} of {kind}", store.commit([made]), position)
        _check_far(store, kind, shared)
        if store.capabilities.persistent:
            store.close()
            store = bench.open(name)
            _check_far(store, kind, shared)
        same("the next position", store.commit([one_of_many(kind, "next", shared)]), FAR[-1] + 1)


def _check_far(store: Store, kind: str, shared: str) -> None:
    for number, position in enumerate(FAR):
        same(f"position of {kind} a{number}", _position(store, kind, f"a{number}"), position)
        for index, key in listings_of(kind, shared):
            found = [record.position for record in store.scan(kind, index=index, key=key, after=position)]
            same(f"positions of {kind} by {index or 'position'} after {position}", found, list(FAR[number + 1 :]))
    same("last position", store.last_position(), FAR[-1])


def _position(store: Store, kind: str, id_: str) -> int | None:
    record = store.get_record(kind, id_)
    return record.position if record else None
