"""Batches: all or nothing, in order, and the conditions on the state after them."""

from __future__ import annotations

from stores.contract import Batch, Conflict, Delete, InvalidOperation, Present, Put, Vacant
from stores.suite.check import Bench, Checks, fail, refused, same
from stores.suite.samples import agent, as_bytes, event, everything, fill, ids_of, instance, policy, put

checks = Checks()
VERY_LARGE = 10_000
"""Operations of a batch that no page, chunk or list of parameters of a driver holds."""


@checks("batch-whole")
def whole(bench: Bench) -> None:
    """All operations of a batch take effect, over several kinds."""
    bench.store.commit([put("old")])
    bench.store.commit(
        [
            put("a", when="absent"),
            Put("agent_instance", "i", instance("i", "a"), "absent"),
            Put("iam_policy", "p", policy("p", "owner"), "absent"),
            Delete("agent", "old"),
        ]
    )
    same("agents", ids_of(bench.store.scan("agent")), ["a"])
    same("instance", bench.store.get("agent_instance", "i"), instance("i", "a"))
    same("policy", bench.store.get("iam_policy", "p"), policy("p", "owner"))


@checks("batch-nothing")
def nothing(bench: Bench) -> None:
    """A batch whose last operation fails leaves no trace: no resource, index entry, count, position or revision."""
    store = bench.store
    store.commit([put("taken")])
    before = everything(store)
    batch: Batch = [
        put("new"),
        put("taken", slug="changed"),
        Put("agent_instance", "i", instance("i", "new")),
        put("taken", when="absent"),
    ]
    refused("commit", Conflict, lambda: store.commit(batch))
    same("contents", everything(store), before)
    same("find", store.find("agent", "slug", ("new",)), None)
    same("find", store.find("agent", "slug", ("changed",)), None)
    same("find", store.find("agent", "slug", ("taken",)), "taken")
    same("count", store.count("agent"), 1)
    same("count of the org", store.count("agent", index="org", key=("acme",)), 1)
    same("last_position", store.last_position(), before["agent"][0].position)
    store.commit([put("new")])
    same("the same create later", store.find("agent", "slug", ("new",)), "new")


@checks("batch-very-large")
def very_large(bench: Bench) -> None:
    """Of a batch of 10,000 operations nothing is left if the last is refused, and all is there if none is."""
    store = bench.store
    batch: Batch = [as_bytes(Put("event", f"e{number}", event("e", "s"), "absent")) for number in range(VERY_LARGE)]
    refused("commit", Conflict, lambda: store.commit([*batch, batch[0]]))
    same("what is left", (store.count("event"), next(store.scan("event"), None), store.last_position()), (0, None, 0))
    same("answer", store.commit(batch), VERY_LARGE)
    same("count", store.count("event"), VERY_LARGE)


@checks("batch-earlier-operations")
def earlier_operations(bench: Bench) -> None:
    """Puts and deletes see the effects of earlier ones in the same batch."""
    store = bench.store
    store.commit([put("a", when="absent"), put("a", slug="second", when="present")])
    same("get", store.get("agent", "a"), agent("a", "second"))
    same("count", store.count("agent"), 1)
    store.commit([Delete("agent", "a"), put("a", slug="third", when="absent")])
    same("get", store.get("agent", "a"), agent("a", "third"))
    store.commit([put("b"), Delete("agent", "b", "present")])
    same("agents", ids_of(store.scan("agent")), ["a"])
    same("count", store.count("agent"), 1)
    again: Batch = [put("c", when="absent"), put("c", when="absent")]
    refused("two creates of one id", Conflict, lambda: store.commit(again))


@checks("batch-recreate-moves")
def recreate_moves(bench: Bench) -> None:
    """A resource removed and created in one batch is a new one: it stands at the end of the listing."""
    fill(bench.store, ["a", "b"])
    bench.store.commit([Delete("agent", "a"), put("a")])
    same("agents", ids_of(bench.store.scan("agent")), ["b", "a"])
    by_org = ids_of(bench.store.scan("agent", index="org", key=("acme",)))
    same("agents by org", by_org, ["b", "a"])


@checks("batch-empty")
def empty(bench: Bench) -> None:
    """An empty batch does nothing and answers 0."""
    same("commit", bench.store.commit([]), 0)
    same("commit_many", bench.store.commit_many([]), [])
    same("last_position", bench.store.last_position(), 0)


@checks("batch-answer")
def answer(bench: Bench) -> None:
    """A commit answers with the position of the last resource that it created, or 0 if it created none."""
    store = bench.store
    first = store.commit([put("a")])
    last = store.commit([put("b"), put("a", slug="x"), put("c")])
    record = store.get_record("agent", "c")
    same("position of the last", record and record.position, last)
    same("last_position", store.last_position(), last)
    if first >= last:
        fail(f"positions don't grow: {first}, then {last}")
    same("an update", store.commit([put("a")]), 0)
    same("a delete", store.commit([Delete("agent", "b")]), 0)


@checks("vacant-refuses")
def vacant_refuses(bench: Bench) -> None:
    """Vacant refuses a batch after which another resource stands under the key, and names it."""
    store = bench.store
    store.commit([put("a", slug="s", org="one")])
    batch: Batch = [put("b", slug="s", org="two"), Vacant("agent", "slug", ("s",), unless="b")]
    error = refused("commit", Conflict, lambda: store.commit(batch))
    same("the conflict", (error.kind, error.key, error.holder_id, error.index), ("agent", ("s",), "a", "slug"))
    same("get", store.get("agent", "b"), None)
    alone: Batch = [Vacant("agent", "slug", ("s",))]
    refused("vacant alone", Conflict, lambda: store.commit(alone))


@checks("vacant-accepts")
def vacant_accepts(bench: Bench) -> None:
    """Vacant lets a batch pass when the key is free after it, or held by `unless` only."""
    store = bench.store
    store.commit([put("a", slug="s"), Vacant("agent", "slug", ("s",), unless="a")])
    store.commit([put("a", slug="s"), Vacant("agent", "slug", ("t",)), Vacant("agent", "slug", ("s",), unless="a")])
    store.commit([Vacant("agent", "slug", ("s",), unless="b"), Delete("agent", "a"), put("b", slug="s")])
    same("agents", ids_of(store.scan("agent")), ["b"])
    store.commit([Vacant("agent", "slug", ("s",)), put("b", slug="moved")])
    same("find", store.find("agent", "slug", ("moved",)), "b")


@checks("vacant-in-batch")
def vacant_in_batch(bench: Bench) -> None:
    """Vacant counts what the batch itself puts under the key."""
    store = bench.store
    batch: Batch = [
        Vacant("agent", "slug", ("s",), unless="a"),
        put("a", slug="s", org="one"),
        put("b", slug="s", org="two"),
    ]
    error = refused("commit", Conflict, lambda: store.commit(batch))
    same("holder", error.holder_id, "b")
    same("count", store.count("agent"), 0)


@checks("present-refuses")
def present_refuses(bench: Bench) -> None:
    """Present refuses a batch after which the resource isn't there."""
    store = bench.store
    alone: Batch = [Put("agent_instance", "i", instance("i", "a")), Present("agent", "a")]
    error = refused("commit", Conflict, lambda: store.commit(alone))
    same("the conflict", (error.kind, error.key, error.holder_id, error.index), ("agent", "a", None, None))
    same("get", store.get("agent_instance", "i"), None)
    store.commit([put("a")])
    removing: Batch = [Present("agent", "a"), Delete("agent", "a")]
    refused("commit", Conflict, lambda: store.commit(removing))
    same("get", store.get("agent", "a"), agent("a"))


@checks("present-accepts")
def present_accepts(bench: Bench) -> None:
    """Present lets a batch pass when the resource was there or the batch creates it."""
    store = bench.store
    store.commit([Present("agent", "a"), put("a")])
    store.commit([Present("agent", "a"), Put("agent_instance", "i", instance("i", "a"))])
    same("get", store.get("agent_instance", "i"), instance("i", "a"))


@checks("refuse-bad-condition")
def refuse_bad_condition(bench: Bench) -> None:
    """A condition on an unknown kind or index, or on a key that can't be one, is refused."""
    store = bench.store
    for what, condition in (
        ("kind", Vacant("nope", "slug", ("a",))),
        ("index", Vacant("agent", "nope", ("a",))),
        ("key", Vacant("agent", "slug", ())),
        ("surrogate", Vacant("agent", "slug", ("\ud800",))),
    ):
        refused(f"vacant, {what}", InvalidOperation, lambda condition=condition: store.commit([condition]))  # type: ignore[misc] # binds the loop's value
    refused("present, kind", InvalidOperation, lambda: store.commit([Present("nope", "a")]))
    refused("present, id", InvalidOperation, lambda: store.commit([Present("agent", "")]))
