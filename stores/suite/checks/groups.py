"""Several batches with one durable write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from stores.contract import (
    Batch,
    BatchOperation,
    Conflict,
    Delete,
    InvalidOperation,
    Present,
    Put,
    RevisionConflict,
    Store,
    StoreError,
    Vacant,
)
from stores.group_commit import GroupCommitter
from stores.schema import KINDS
from stores.suite.check import Bench, Checks, same
from stores.suite.checks import kinds
from stores.suite.outcomes import seen, shown_batch
from stores.suite.samples import agent, ids_of, put, slug_key

checks = Checks()
COMMIT_SECONDS = 60.0


@checks("group-independent")
def independent(bench: Bench) -> None:
    """In commit_many a failing batch leaves no trace and fails alone."""
    store = bench.store
    store.commit([put("taken", slug="s")])
    outcomes = store.commit_many(
        [[put("a")], [put("b"), put("c", slug="s")], [put("d")], [Put("nope", "x", agent("x"))], [put("e")]]
    )
    same("kinds of outcome", [type(outcome) for outcome in outcomes], [int, Conflict, int, InvalidOperation, int])
    same("agents", ids_of(store.scan("agent")), ["taken", "a", "d", "e"])
    same("count", store.count("agent"), 4)
    positions = [record.position for record in store.scan("agent")]
    same("answers", [outcome for outcome in outcomes if isinstance(outcome, int)], positions[1:])


@checks("group-order")
def order(bench: Bench) -> None:
    """In commit_many a batch meets what the batches before it left."""
    store = bench.store
    outcomes = store.commit_many(
        [
            [put("a", slug="s", when="absent")],
            [put("b", slug="s")],
            [Delete("agent", "a", "present")],
            [put("b", slug="s", when="absent")],
            [put("a", slug="t", when="absent")],
            [put("b", slug="u", when="present")],
            [put("c", slug="s", when="absent")],
            [Vacant("agent", "slug", ("s",))],
            [Vacant("agent", "slug", ("t",), unless="a"), put("d")],
        ]
    )
    wanted = [int, Conflict, int, int, int, int, int, Conflict, int]
    same("kinds of outcome", [type(outcome) for outcome in outcomes], wanted)
    same("agents", ids_of(store.scan("agent")), ["b", "a", "c", "d"])
    found = [store.find("agent", "slug_key", slug_key(slug)) for slug in "stud"]
    same("find", found, ["c", "a", "b", "d"])
    same("count", store.count("agent", index="org", key=("acme",)), 4)


@checks("kinds-group-refused")
def refused_claims_nothing(bench: Bench) -> None:
    """Of every kind, a batch that is refused in a group, for whatever reason, leaves its keys and ids to the next."""
    store = bench.store
    for kind in KINDS:
        store.commit([kinds.put(kind, "held", "held", "o")])
        for failing, error in _failing(kind):
            refused = [kinds.put(kind, "a", "x", "p"), Delete(kind, "held"), failing]
            taken = kinds.put(kind, "b", "x", "p", "absent")
            told = f"{shown_batch(refused)}, then {shown_batch([taken])}"
            outcomes = store.commit_many([refused, [taken], [kinds.put(kind, "held", "held", "o", "present")]])
            same(f"outcomes of {told}", [type(outcome) for outcome in outcomes], [error, int, int])
            same(f"{kind} after {told}", [seen(record)[0] for record in store.scan(kind)], ["held", "b"])
            store.commit([Delete(kind, "b")])


def _failing(kind: str) -> Iterator[tuple[BatchOperation, type[StoreError]]]:
    """Yield operations that refuse a batch which has put `a` and removed `held`, and with what."""
    yield Present(kind, "none"), Conflict
    yield kinds.put(kind, "none", "y", "q", "present"), Conflict
    yield kinds.put(kind, "a", "y", "q", "absent"), Conflict
    yield Delete(kind, "none", "present"), Conflict
    yield kinds.put(kind, "a", "y", "q", expect=0), RevisionConflict
    yield kinds.put(kind, "", "y", "q"), InvalidOperation
    for index, key in KINDS[kind].entries(kinds.message_of(kind, "", "x", "p")):
        yield Vacant(kind, index, key), Conflict
        if index in KINDS[kind].unique:
            yield kinds.put(kind, "c", "x", "p"), Conflict


@checks("group-committer")
def committer(bench: Bench) -> None:
    """The group committer answers each caller for his own batch, also when others fail."""
    batches: list[Batch] = [[put(f"a{number}", slug=f"s{number % 20}")] for number in range(40)]
    outcomes = asyncio.run(_committed(bench.store, batches))
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    same("who succeeded", [isinstance(outcome, int) for outcome in outcomes], [True] * 20 + [False] * 20)
    same("why others failed", {type(failure) for failure in failures}, {Conflict})
    same("agents", ids_of(bench.store.scan("agent")), [f"a{number}" for number in range(20)])


async def _committed(store: Store, batches: Sequence[Batch]) -> list[int | BaseException]:
    """Commit all at once; return what each came to."""
    group = GroupCommitter(store)
    try:
        async with asyncio.timeout(COMMIT_SECONDS):
            return await asyncio.gather(*map(group.commit, batches), return_exceptions=True)
    finally:
        group.close()
