"""Indexes: unique keys, lookups, counts, and keys that must not leak into each other."""

from __future__ import annotations

from stores.contract import Conflict, Delete, InvalidOperation, Put
from stores.suite.check import Bench, Checks, refused, same
from stores.suite.samples import agent, everything, fill, ids_of, instance, policy, put, slug_key

checks = Checks()
SEPARATORS = (
    *map(chr, range(128)),
    *"\xa0\xff\u2028\u2063\ue000\ufeff\uffff\U0010ffff",
    '","',
    '\\","',
    "\\0",
    "%1F",
    "::",
    "\0\x01",
)
"""What programs put between the parts of a key: all of ASCII, what nobody types, and escapes."""


@checks("unique-refuses")
def unique_refuses(bench: Bench) -> None:
    """A taken unique key refuses the batch, and the conflict names index, key and holder."""
    store = bench.store
    store.commit([put("a", slug="s")])
    before = everything(store)
    error = refused("create", Conflict, lambda: store.commit([put("b", slug="s")]))
    same(
        "the conflict", (error.kind, error.key, error.holder_id, error.index), ("agent", slug_key("s"), "a", "slug_key")
    )
    same("contents", everything(store), before)
    store.commit([put("c", slug="t")])
    refused("update", Conflict, lambda: store.commit([put("c", slug="s")]))
    same("c", store.get("agent", "c"), agent("c", "t"))


@checks("unique-own-key")
def unique_own_key(bench: Bench) -> None:
    """A resource may keep its own unique key when it is written again."""
    bench.store.commit([put("a", slug="s")])
    bench.store.commit([put("a", slug="s", when="present")])
    same("find", bench.store.find("agent", "slug_key", slug_key("s")), "a")


@checks("unique-freed")
def unique_freed(bench: Bench) -> None:
    """A unique key is free again when its holder is removed or takes another one."""
    store = bench.store
    store.commit([put("a", slug="s")])
    store.commit([Delete("agent", "a")])
    store.commit([put("b", slug="s")])
    store.commit([put("b", slug="t")])
    store.commit([put("c", slug="s")])
    same("find s", store.find("agent", "slug_key", slug_key("s")), "c")
    same("find t", store.find("agent", "slug_key", slug_key("t")), "b")


@checks("unique-scope")
def unique_scope(bench: Bench) -> None:
    """The same slug in two organizations, for the platform, and for two kinds, are different keys."""
    store = bench.store
    store.commit([put("a", slug="s", org="one"), put("b", slug="s", org="two"), put("c", slug="s", org="")])
    other = instance("i", "a", "one")
    other.metadata.slug = "s"
    store.commit([Put("agent_instance", "i", other)])
    same("find", [store.find("agent", "slug_key", slug_key("s", org)) for org in ("one", "two", "")], ["a", "b", "c"])


@checks("unique-after-batch")
def unique_after_batch(bench: Bench) -> None:
    """Unique keys are judged after the whole batch, so keys can be handed over and swapped within one."""
    store = bench.store
    store.commit([put("a", slug="s"), put("b", slug="t")])
    store.commit([put("a", slug="t"), put("b", slug="s")])
    same("find s", store.find("agent", "slug_key", slug_key("s")), "b")
    same("find t", store.find("agent", "slug_key", slug_key("t")), "a")
    store.commit([put("c", slug="s"), Delete("agent", "b")])
    same("find s", store.find("agent", "slug_key", slug_key("s")), "c")


@checks("unique-in-batch")
def unique_in_batch(bench: Bench) -> None:
    """Two resources of one batch can't take the same unique key."""
    store = bench.store
    error = refused("commit", Conflict, lambda: store.commit([put("a", slug="s"), put("b", slug="s")]))
    same("holder", error.holder_id, "a")
    same("count", store.count("agent"), 0)
    store.commit([put("a", slug="s"), put("b", slug="s"), put("a", slug="t")])
    same("find s", store.find("agent", "slug_key", slug_key("s")), "b")


@checks("unique-policy-tuple")
def unique_policy_tuple(bench: Bench) -> None:
    """A relation between two things stands once."""
    store = bench.store
    store.commit([Put("iam_policy", "p", policy("p", "owner"))])
    twin = [Put("iam_policy", "q", policy("q", "owner"))]
    error = refused("commit", Conflict, lambda: store.commit(twin))
    same("holder", (error.holder_id, error.index), ("p", "tuple"))
    store.commit([Put("iam_policy", "q", policy("q", "viewer"))])


@checks("index-find")
def find(bench: Bench) -> None:
    """Find answers the first resource under a key, by position, or None."""
    store = bench.store
    store.commit([put("z", slug="s", org="one")])
    store.commit([put("a", slug="s", org="two")])
    same("find", store.find("agent", "slug", ("s",)), "z")
    same("find nothing", store.find("agent", "slug", ("t",)), None)
    store.commit([Delete("agent", "z")])
    same("find after the first is gone", store.find("agent", "slug", ("s",)), "a")


@checks("index-follows-update")
def follows_update(bench: Bench) -> None:
    """Index entries follow an update: the old key forgets the resource, the new one has it."""
    store = bench.store
    store.commit([put("a", org="one")])
    store.commit([put("a", org="two")])
    same("old", ids_of(store.scan("agent", index="org", key=("one",))), [])
    same("new", ids_of(store.scan("agent", index="org", key=("two",))), ["a"])
    same("old unique", store.find("agent", "slug_key", slug_key("a", "one")), None)
    same("counts", [store.count("agent", index="org", key=(org,)) for org in ("one", "two")], [0, 1])


@checks("index-forgets-delete")
def forgets_delete(bench: Bench) -> None:
    """A removed resource is in no index."""
    store = bench.store
    fill(store, ["a", "b"])
    store.commit([Delete("agent", "a")])
    same("scan", ids_of(store.scan("agent", index="org", key=("acme",))), ["b"])
    same("find", store.find("agent", "slug", ("a",)), None)
    same("find unique", store.find("agent", "slug_key", slug_key("a")), None)
    same("count", store.count("agent", index="org", key=("acme",)), 1)


@checks("index-uncounted")
def uncounted(bench: Bench) -> None:
    """Policies under a principal come by position, from the cursor on, and follow updates and removals."""
    store = bench.store

    def held_by(principal: str, after: int = 0) -> list[str]:
        key = ("identity_account", principal)
        found = ids_of(store.scan("iam_policy", index="principal", key=key, after=after))
        if not after:
            same(f"find of {principal!r}", store.find("iam_policy", "principal", key), found[0] if found else None)
            same(f"count of {principal!r}", store.count("iam_policy", index="principal", key=key), len(found))
        return found

    long = "l" * 300
    for name, resource in (("r", "z"), ("q", "y"), ("p", long)):  # by position, not by id nor by resource
        store.commit([Put("iam_policy", name, policy(name, "owner", "ada", resource), "absent")])
    cursor = store.last_position()
    store.commit([Put("iam_policy", "o", policy("o", "owner", "ada", "x")), Delete("iam_policy", "q")])
    store.commit(
        [Put("iam_policy", "n", policy("n", "owner", long, "x")), Put("iam_policy", "m", policy("m", "", "ad"))]
    )
    same("ada", held_by("ada"), ["r", "p", "o"])
    same("ada, from the cursor on", held_by("ada", cursor), ["o"])
    same("others", [held_by(name) for name in (long, "ad", "a")], [["n"], ["m"], []])
    store.commit([Put("iam_policy", "r", policy("r", "owner", "eve", "z"))])
    same("ada, after an update", held_by("ada"), ["p", "o"])
    same("eve", held_by("eve"), ["r"])


@checks("index-empty-key")
def empty_key(bench: Bench) -> None:
    """A resource without a slug or organization is in neither index, and such resources don't collide."""
    store = bench.store
    store.commit([put("a", slug="", org=""), put("b", slug="", org="")])
    same("count", store.count("agent"), 2)
    same("find", store.find("agent", "slug", ("",)), None)
    same("scan", ids_of(store.scan("agent", index="org", key=("",))), [])


@checks("index-keys-apart")
def keys_apart(bench: Bench) -> None:
    """An index key never shows resources of a key that it is the beginning of, whatever bytes they hold."""
    store = bench.store
    orgs = ["ns1", "ns10", "ns", "ns1\0", "ns1\0\0", "\0", "ns1/", "ns1\uffff", "ns1\x01", "NS1", "ns1 ", "ñs1"]
    for number, org in enumerate(orgs):
        store.commit([put(f"id{number}", org=org)])
    for number, org in enumerate(orgs):
        same(f"org {org!r}", ids_of(store.scan("agent", index="org", key=(org,))), [f"id{number}"])
        same(f"count of {org!r}", store.count("agent", index="org", key=(org,)), 1)


@checks("index-key-parts")
def key_parts(bench: Bench) -> None:
    """The parts of a key are not run together: ("ab", "c") is not ("a", "bc")."""
    store = bench.store
    store.commit([put("a", slug="c", org="ab")])
    store.commit([put("b", slug="bc", org="a")])
    same("find", store.find("agent", "slug_key", slug_key("c", "ab")), "a")
    same("find", store.find("agent", "slug_key", slug_key("bc", "a")), "b")
    same("find", store.find("agent", "slug_key", slug_key("abc", "")), None)
    same("other length", store.find("agent", "slug_key", ("2", "ab")), None)


@checks("index-parts-separated")
def parts_separated(bench: Bench) -> None:
    """No character stands between the parts of a key that a part could hold: ("a/b", "c") is not ("a", "b/c")."""
    store, pairs = bench.store, [((f"a{each}b", "c"), ("a", f"b{each}c")) for each in SEPARATORS]
    names = {f"{number}{side}": pair[side] for number, pair in enumerate(pairs) for side in (0, 1)}
    store.commit([put(id_, slug=slug, org=org, when="absent") for id_, (org, slug) in names.items()])
    for id_, (org, slug) in names.items():
        same(f"find under {org!a} and {slug!a}", store.find("agent", "slug_key", slug_key(slug, org)), id_)


@checks("index-several")
def several(bench: Bench) -> None:
    """The indexes of one kind don't see each other's keys."""
    store = bench.store
    store.commit([put("a", slug="x", org="y")])
    same("slug y", store.find("agent", "slug", ("y",)), None)
    same("org x", store.find("agent", "org", ("x",)), None)
    store.commit([Put("agent_instance", "i", instance("i", "a", "y"))])
    same("agent", store.find("agent_instance", "agent", ("a",)), "i")
    same("count of org y", store.count("agent", index="org", key=("y",)), 1)


@checks("index-counts")
def counts(bench: Bench) -> None:
    """Counts follow creates, updates, removals and failed batches."""
    store = bench.store
    fill(store, ["a", "b", "c"])
    same("kind, full", store.count("agent"), 3)
    same("acme, full", store.count("agent", index="org", key=("acme",)), 3)
    same("unique, full", store.count("agent", index="slug_key", key=slug_key("b")), 1)
    store.commit([put("a", org="else"), Delete("agent", "b"), Delete("agent", "missing")])
    failing = [put("d"), put("a", when="absent")]
    refused("failing batch", Conflict, lambda: store.commit(failing))
    same("kind", store.count("agent"), 2)
    same("acme", store.count("agent", index="org", key=("acme",)), 1)
    same("else", store.count("agent", index="org", key=("else",)), 1)
    same("unique", store.count("agent", index="slug_key", key=slug_key("c")), 1)
    same("unique, none", store.count("agent", index="slug_key", key=slug_key("b")), 0)
    same("other kind", store.count("agent_instance"), 0)


@checks("refuse-bad-index")
def refuse_bad_index(bench: Bench) -> None:
    """An unknown index, a key that can't be one, and an index without key are refused."""
    store = bench.store
    refused("find", InvalidOperation, lambda: store.find("agent", "nope", ("a",)))
    refused("scan", InvalidOperation, lambda: list(store.scan("agent", index="nope", key=("a",))))
    refused("count", InvalidOperation, lambda: store.count("agent", index="nope", key=("a",)))
    refused("empty key", InvalidOperation, lambda: store.find("agent", "slug", ()))
    refused("surrogate", InvalidOperation, lambda: store.find("agent", "slug", ("\udc00",)))
    refused("scan, no key", InvalidOperation, lambda: list(store.scan("agent", index="org")))
    refused("count, no index", InvalidOperation, lambda: store.count("agent", key=("a",)))
