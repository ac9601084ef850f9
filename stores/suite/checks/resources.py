"""One resource: written, read, overwritten, removed; preconditions and revisions."""

from __future__ import annotations

from stores.contract import Conflict, Delete, InvalidOperation, Put, RevisionConflict
from stores.suite.check import Bench, Checks, fail, refused, same
from stores.suite.samples import ORG, agent, as_bytes, everything, instance, put

checks = Checks()


@checks("resource-put-get")
def put_get(bench: Bench) -> None:
    """What was put is read back by get, get_bytes and get_record alike."""
    message = agent("a")
    bench.store.commit([Put("agent", "a", message)])
    same("get", bench.store.get("agent", "a"), message)
    wire = message.SerializeToString(deterministic=True)
    same("get_bytes", bench.store.get_bytes("agent", "a"), wire)
    record = bench.store.get_record("agent", "a")
    if record is None:
        fail("get_record found nothing")
    same("get_record", (record.kind, record.id, record.data), ("agent", "a", wire))


@checks("resource-missing")
def missing(bench: Bench) -> None:
    """What isn't there is None, whatever else is there."""
    bench.store.commit([put("a")])
    for id_ in ("b", "", "aa", "A", "a\0"):
        if id_:
            same(f"get {id_!r}", bench.store.get("agent", id_), None)
            same(f"get_bytes {id_!r}", bench.store.get_bytes("agent", id_), None)
            same(f"get_record {id_!r}", bench.store.get_record("agent", id_), None)
    same("get of another kind", bench.store.get("agent_instance", "a"), None)


@checks("resource-overwrite")
def overwrite(bench: Bench) -> None:
    """A second put replaces the message whole and keeps the position."""
    bench.store.commit([put("a")])
    first = bench.store.get_record("agent", "a")
    smaller = agent("a", text="Other instructions.")
    smaller.metadata.ClearField("name")
    bench.store.commit([Put("agent", "a", smaller)])
    second = bench.store.get_record("agent", "a")
    same("message", bench.store.get("agent", "a"), smaller)
    same("position", second and second.position, first and first.position)


@checks("resource-private-copies")
def private_copies(bench: Bench) -> None:
    """Neither the message that was put nor one that was read is tied to the stored one."""
    message = agent("a")
    wanted = agent("a")
    bench.store.commit([Put("agent", "a", message)])
    message.metadata.name = "changed after the commit"
    same("get", bench.store.get("agent", "a"), wanted)
    read = bench.store.get("agent", "a")
    if read is not None:
        read.Clear()
    same("get after a reader changed his copy", bench.store.get("agent", "a"), wanted)


@checks("resource-delete")
def delete(bench: Bench) -> None:
    """A delete removes the resource, and only it."""
    bench.store.commit([put("a"), put("b")])
    bench.store.commit([Delete("agent", "a")])
    same("get of the removed", bench.store.get("agent", "a"), None)
    same("count", bench.store.count("agent"), 1)
    same("get of the other", bench.store.get("agent", "b"), agent("b"))


@checks("resource-delete-missing")
def delete_missing(bench: Bench) -> None:
    """Deleting what isn't there is no error, and with the precondition present it is a conflict."""
    bench.store.commit([Delete("agent", "a")])
    error = refused("delete, present", Conflict, lambda: bench.store.commit([Delete("agent", "a", "present")]))
    same("the conflict", (error.kind, error.key, error.holder_id, error.index), ("agent", "a", None, None))


@checks("precondition-absent")
def precondition_absent(bench: Bench) -> None:
    """A put with the precondition absent never overwrites, and names the resource in the way."""
    bench.store.commit([put("a", when="absent")])
    before = everything(bench.store)
    error = refused("put, absent", Conflict, lambda: bench.store.commit([put("a", slug="other", when="absent")]))
    same("the conflict", (error.kind, error.key, error.holder_id, error.index), ("agent", "a", "a", None))
    same("contents", everything(bench.store), before)


@checks("precondition-present")
def precondition_present(bench: Bench) -> None:
    """A put with the precondition present never creates."""
    error = refused("put, present", Conflict, lambda: bench.store.commit([put("a", when="present")]))
    same("the conflict", (error.kind, error.key, error.holder_id, error.index), ("agent", "a", None, None))
    same("get", bench.store.get("agent", "a"), None)
    bench.store.commit([put("a")])
    bench.store.commit([put("a", slug="new", when="present")])
    same("get", bench.store.get("agent", "a"), agent("a", "new"))


@checks("expect-current")
def expect_current(bench: Bench) -> None:
    """A put or delete that expects the current revision is applied."""
    bench.store.commit([put("a")])
    bench.store.commit([put("a", slug="new", expect=_revision(bench))])
    same("get", bench.store.get("agent", "a"), agent("a", "new"))
    bench.store.commit([Delete("agent", "a", expect=_revision(bench))])
    same("get", bench.store.get("agent", "a"), None)


@checks("expect-stale")
def expect_stale(bench: Bench) -> None:
    """A put or delete that expects an older revision is refused, so that no update is lost."""
    bench.store.commit([put("a")])
    stale = _revision(bench)
    bench.store.commit([put("a", slug="theirs")])
    refused("put", RevisionConflict, lambda: bench.store.commit([put("a", slug="mine", expect=stale)]))
    error = refused("delete", RevisionConflict, lambda: bench.store.commit([Delete("agent", "a", expect=stale)]))
    same("the conflict", (error.kind, error.key, error.holder_id), ("agent", "a", "a"))
    now = _revision(bench)
    for then in (put("a", slug="mine", expect=now), Delete("agent", "a", expect=now)):
        refused("after a put of the batch", RevisionConflict, lambda: bench.store.commit([put("a"), then]))  # noqa: B023 - called at once
    same("get", bench.store.get("agent", "a"), agent("a", "theirs"))


@checks("expect-missing")
def expect_missing(bench: Bench) -> None:
    """Expecting a revision of what isn't there is a conflict."""
    error = refused("put", RevisionConflict, lambda: bench.store.commit([put("a", expect=1)]))
    same("holder", error.holder_id, None)
    same("get", bench.store.get("agent", "a"), None)


@checks("revision-grows")
def revision_grows(bench: Bench) -> None:
    """Each write of a resource gives it a larger revision; writes of others don't change it."""
    seen = []
    for number in range(3):
        bench.store.commit([put("a", slug=f"s{number}")])
        bench.store.commit([put("b")])
        seen.append(_revision(bench))
    if not seen[0] < seen[1] < seen[2]:
        fail(f"revisions don't grow: {seen}")


@checks("revision-not-reused")
def revision_not_reused(bench: Bench) -> None:
    """A resource that was removed and created again doesn't get an old revision back."""
    bench.store.commit([put("a")])
    old = _revision(bench)
    bench.store.commit([Delete("agent", "a")])
    bench.store.commit([put("a", slug="another")])
    refused("put", RevisionConflict, lambda: bench.store.commit([put("a", slug="mine", expect=old)]))


@checks("data-given")
def data_given(bench: Bench) -> None:
    """Bytes that come with a put are the message's bytes."""
    message = agent("a")
    bench.store.commit([Put("agent", "a", message, data=message.SerializeToString(deterministic=True))])
    same("get", bench.store.get("agent", "a"), message)


@checks("bytes-put")
def bytes_put(bench: Bench) -> None:
    """A put of wire bytes and index keys, without the message, is as good as one of the message."""
    store, message = bench.store, agent("a", slug="s")
    store.commit([as_bytes(put("a", slug="s", when="absent")), as_bytes(put("b", when="absent"))])
    wire = message.SerializeToString(deterministic=True)
    same("get", store.get("agent", "a"), message)
    same("get_bytes", store.get_bytes("agent", "a"), wire)
    same("find", store.find("agent", "slug", ("s",)), "a")
    same(
        "scan",
        [(record.id, record.data) for record in store.scan("agent", index="org", key=(ORG,), limit=1)],
        [("a", wire)],
    )
    same("count", store.count("agent", index="org", key=(ORG,)), 2)
    refused("the slug again", Conflict, lambda: store.commit([put("c", slug="s")]))
    refused("the slug again, as bytes", Conflict, lambda: store.commit([as_bytes(put("c", slug="b"))]))
    store.commit([as_bytes(put("a", slug="other", when="present"))])
    same("find the old slug", store.find("agent", "slug", ("s",)), None)
    same("find the new one", store.find("agent", "slug", ("other",)), "a")
    store.commit([put("a", slug="third")])
    same("find the second slug", store.find("agent", "slug", ("other",)), None)
    store.commit([Delete("agent", "a")])
    same("count in the end", store.count("agent", index="org", key=(ORG,)), 1)


@checks("refuse-bad-bytes-put")
def refuse_bad_bytes_put(bench: Bench) -> None:
    """A put without message needs its bytes and keys, and no put has keys of an index that isn't there."""
    store, whole = bench.store, as_bytes(put("a"))
    refused("no keys", InvalidOperation, lambda: store.commit([whole._replace(keys=None)]))
    refused("no bytes", InvalidOperation, lambda: store.commit([whole._replace(data=None)]))
    refused("index", InvalidOperation, lambda: store.commit([whole._replace(keys=(("nope", ("a",)),))]))
    refused("index, message", InvalidOperation, lambda: store.commit([put("a")._replace(keys=(("nope", ("a",)),))]))
    refused("empty key", InvalidOperation, lambda: store.commit([whole._replace(keys=(("slug", ()),))]))
    refused("surrogate", InvalidOperation, lambda: store.commit([whole._replace(keys=(("slug", ("\ud800",)),))]))
    same("everything", everything(store)["agent"], [])


@checks("kinds-apart")
def kinds_apart(bench: Bench) -> None:
    """Kinds whose names begin alike don't see each other's resources, not even under one id."""
    bench.store.commit([put("x"), Put("agent_instance", "x", instance("x", "agt-1"))])
    same("agent", bench.store.get("agent", "x"), agent("x"))
    same("agent_instance", bench.store.get("agent_instance", "x"), instance("x", "agt-1"))
    same("agents", [record.id for record in bench.store.scan("agent")], ["x"])
    same("counts", (bench.store.count("agent"), bench.store.count("agent_instance")), (1, 1))
    bench.store.commit([Delete("agent", "x")])
    same("agent_instance, the agent being gone", bench.store.get("agent_instance", "x"), instance("x", "agt-1"))


@checks("refuse-unknown-kind")
def refuse_unknown_kind(bench: Bench) -> None:
    """Every operation refuses a kind that the schema doesn't have."""
    store = bench.store
    refused("put", InvalidOperation, lambda: store.commit([Put("nope", "a", agent("a"))]))
    refused("delete", InvalidOperation, lambda: store.commit([Delete("nope", "a")]))
    refused("get", InvalidOperation, lambda: store.get("nope", "a"))
    refused("get_bytes", InvalidOperation, lambda: store.get_bytes("nope", "a"))
    refused("get_record", InvalidOperation, lambda: store.get_record("nope", "a"))
    refused("scan", InvalidOperation, lambda: list(store.scan("nope")))
    refused("count", InvalidOperation, lambda: store.count("nope"))
    refused("find", InvalidOperation, lambda: store.find("nope", "slug", ("a",)))


@checks("refuse-bad-put")
def refuse_bad_put(bench: Bench) -> None:
    """An empty id, half a surrogate pair in an id, and a message of another type are refused, and leave nothing."""
    store = bench.store
    refused("empty id", InvalidOperation, lambda: store.commit([Put("agent", "", agent("a"))]))
    refused("surrogate", InvalidOperation, lambda: store.commit([Put("agent", "a\ud800", agent("a"))]))
    refused("other type", InvalidOperation, lambda: store.commit([Put("agent", "a", instance("a", "b"))]))
    refused("get, surrogate", InvalidOperation, lambda: store.get("agent", "\udfff"))
    refused("get, empty id", InvalidOperation, lambda: store.get("agent", ""))
    bad = Put("agent", "a", agent("a"), "sometimes")  # type: ignore[arg-type] # a caller without a type checker
    refused("precondition", InvalidOperation, lambda: store.commit([bad]))
    same("count", store.count("agent"), 0)


def _revision(bench: Bench) -> int:
    record = bench.store.get_record("agent", "a")
    if record is None:
        fail("get_record found nothing")
    return record.revision
