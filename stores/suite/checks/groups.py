"""Several batches with one durable write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from stores.contract import Batch, Conflict, Delete, InvalidOperation, Put, Store, Vacant
from stores.group_commit import GroupCommitter
from stores.suite.check import Bench, Checks, same
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
