"""Strings are compared character by character: no case, blank, Unicode form, number or length makes two of them one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from google.protobuf.message import Message

from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.parity.v1.event_pb2 import Cursor, Revocation
from stores.contract import Conflict, Delete, IndexKey, Present, Put, Store, Vacant
from stores.schema import KINDS
from stores.suite.check import Bench, Checks, refused, same
from stores.suite.samples import agent, event, ids_of, instance, policy

checks = Checks()
TEXTS: tuple[str, ...] = (
    # Look-alikes stand side by side: every second one is stored first, and the others are asked for.
    *(
        "name",
        "Name",
        "NAME",
        "nAME",
        "straße",
        "strasse",
        "STRASSE",
        "\u017ftrasse",
        "i",
        "I",
        "\u0131",
        "\u0130",
        "\u03c3",
        "\u03c2",
        "\u03a3",
    ),
    *(
        "k",
        "K",
        "\u212a",
        "name\t",
        "name ",
        "name  ",
        " name",
        "name\n",
        "na me",
        "name\u00a0",
        "na  me",
        "name\u3000",
    ),
    *("name\0", "name\u200b", "name\ufeff", "name\u00ad", "é", "e\u0301", "e", "E\u0301", "ﬁ", "fi", "Å", "\u212b"),
    *(
        "A\u030a",
        "ハ",
        "ﾊ",
        "①",
        "1",
        "\uff11",
        "01",
        "1.0",
        "+1",
        "1e0",
        "nam",
        "names",
        "nam_",
        "name%",
        "n*me",
        "name.",
    ),
    *(f"{letter * length}{end}" for letter, length in (("x", 70), ("x", 700), ("é", 200), ("x", 5000)) for end in "ab"),
)
Spoiled = Callable[[str, str], Message]
"""Makes a resource from its id and the text."""


@dataclass(frozen=True)
class Place:
    """A place in a resource where a text stands: an index keeps the two apart by it, or its id is the text."""

    kind: str
    name: str
    make: Spoiled
    is_id: bool = False

    def put(self, number: int) -> Put:
        """Return the creation of the resource with a text."""
        return Put(self.kind, self.id_of(number), self.make(self.id_of(number), TEXTS[number]), "absent")

    def id_of(self, number: int) -> str:
        """Return the id of the resource with a text."""
        return TEXTS[number] if self.is_id else f"{self.name}{number}"

    def entries(self, number: int) -> Iterator[tuple[str, IndexKey]]:
        """Yield the index keys that the text makes different."""
        for index, key in KINDS[self.kind].entries(self.make(self.id_of(number), TEXTS[number])):
            if TEXTS[number] in key:
                yield index, key


def _set(path: str, make: Callable[[str], Message], id_: str, text: str) -> Message:
    message = make(id_)
    holder, _, field = path.rpartition(".")
    setattr(attrgetter(holder)(message), field, text)
    return message


def _environment(id_: str) -> Message:
    return Environment(metadata=agent(id_).metadata)


def _resource_places() -> Iterator[Place]:
    makers: dict[str, Callable[[str], Message]] = {
        "agent": agent,
        "agent_instance": lambda id_: instance(id_, "a"),
        "environment": _environment,
    }
    for kind, make in makers.items():
        for path in ("metadata.slug", "metadata.org"):
            yield Place(kind, path.partition(".")[2], partial(_set, path, make))
    yield Place("agent_instance", "agent", partial(_set, "spec.agent_id", makers["agent_instance"]))


def _policy_places() -> Iterator[Place]:
    def made(id_: str) -> Message:
        message = policy(id_, "owner", "ada", "agt")
        message.spec.principal.relation = "member"
        return message

    for part in ("principal.kind", "principal.id", "principal.relation", "relation", "resource.kind", "resource.id"):
        yield Place("iam_policy", part, partial(_set, f"spec.{part}", made))


def _id_places() -> Iterator[Place]:
    for kind, make in (
        ("agent", lambda id_, _: agent(id_, f"s{TEXTS.index(id_)}")),
        ("agent_instance", lambda id_, _: instance(f"i{TEXTS.index(id_)}", "a")),
        ("environment", lambda id_, _: Environment(metadata=agent(id_, f"s{TEXTS.index(id_)}").metadata)),
        ("iam_policy", lambda id_, _: policy(id_, f"r{TEXTS.index(id_)}")),
        ("event", lambda id_, _: event(id_, "s")),
        ("cursor", lambda id_, _: Cursor(name=id_)),
        ("revocation", lambda id_, _: Revocation(policy=policy(id_, "owner").spec)),
    ):
        yield Place(kind, "id", make, is_id=True)


@checks("exact-ids")
def exact_ids(bench: Bench) -> None:
    """Ids of every kind that look alike, or begin alike, are different ids in every operation."""
    for place in _id_places():
        _check_place(bench.open(f"{bench.name}-{place.kind}"), place)


@checks("exact-keys")
def exact_keys(bench: Bench) -> None:
    """Slugs, organizations and agents that look alike, or begin alike, are different keys in every operation."""
    for place in _resource_places():
        _check_place(bench.open(f"{bench.name}-{place.kind}-{place.name}"), place)


@checks("exact-policies")
def exact_policies(bench: Bench) -> None:
    """Every part of a policy's relation is compared character by character."""
    for place in _policy_places():
        _check_place(bench.open(f"{bench.name}-{place.name}"), place)


def _check_place(store: Store, place: Place) -> None:
    numbers = range(len(TEXTS))
    stored, missing = numbers[::2], numbers[1::2]
    store.commit([place.put(number) for number in stored])
    _check_missing(store, place, missing)
    _check_stored(store, place, stored)
    if place.is_id:
        store.commit([Delete(place.kind, place.id_of(number)) for number in missing])
        _check_stored(store, place, stored)
    store.commit([place.put(number) for number in missing])
    _check_stored(store, place, numbers)
    _check_taken(store, place)
    store.commit([Delete(place.kind, place.id_of(number), "present") for number in missing])
    _check_stored(store, place, stored)
    _check_missing(store, place, missing)


def _check_missing(store: Store, place: Place, numbers: range) -> None:
    for number in numbers:
        id_ = place.id_of(number)
        told = f"{place.kind} {id_!r}, of which {place.name} {TEXTS[number]!r} isn't stored"
        same(f"get_record of {told}", store.get_record(place.kind, id_), None)
        if place.is_id:
            same(f"get_bytes of {told}", store.get_bytes(place.kind, id_), None)
            same(f"get of {told}", store.get(place.kind, id_), None)
            refused(f"present of {told}", Conflict, lambda id_=id_: store.commit([Present(place.kind, id_)]))  # type: ignore[misc] # binds the loop's value
        for index, key in place.entries(number):
            told = f"{place.kind} under {index} {key!r}, which isn't stored"
            same(f"find of {told}", store.find(place.kind, index, key), None)
            same(f"count of {told}", store.count(place.kind, index=index, key=key), 0)
            same(f"scan of {told}", ids_of(store.scan(place.kind, index=index, key=key)), [])
            store.commit([Vacant(place.kind, index, key)])


def _check_stored(store: Store, place: Place, numbers: range) -> None:
    same(f"count of {place.kind}", store.count(place.kind), len(numbers))
    for number in numbers:
        id_ = place.id_of(number)
        wanted = place.make(id_, TEXTS[number])
        told = f"{place.kind} {id_!r} with {place.name} {TEXTS[number]!r}"
        same(f"get of {told}", store.get(place.kind, id_), wanted)
        record = store.get_record(place.kind, id_)
        same(f"get_record of {told}", record and (record.id, record.data), (id_, store.get_bytes(place.kind, id_)))
        if place.is_id:
            store.commit([Present(place.kind, id_)])
        for index, key in place.entries(number):
            told = f"{place.kind} under {index} {key!r}"
            same(f"find of {told}", store.find(place.kind, index, key), id_)
            same(f"count of {told}", store.count(place.kind, index=index, key=key), 1)
            same(f"scan of {told}", ids_of(store.scan(place.kind, index=index, key=key)), [id_])
            vacant = Vacant(place.kind, index, key)
            error = refused(f"vacant of {told}", Conflict, lambda vacant=vacant: store.commit([vacant]))  # type: ignore[misc] # binds the loop's value
            same(f"holder of {told}", error.holder_id, id_)


def _check_taken(store: Store, place: Place) -> None:
    """Each text is taken by its own resource, whatever else is there."""
    for number in range(len(TEXTS)):
        if place.is_id:
            again = place.put(number)
            error = refused(f"create of {again.id!r} again", Conflict, lambda again=again: store.commit([again]))  # type: ignore[misc] # binds the loop's value
            same("the id in the way", error.holder_id, again.id)
        for index, key in place.entries(number):
            if index not in KINDS[place.kind].unique:
                continue
            twin = place.put(number)._replace(id="twin")
            error = refused(f"create under {index} {key!r}", Conflict, lambda twin=twin: store.commit([twin]))  # type: ignore[misc] # binds the loop's value
            same(
                f"the id in the way of {key!r}",
                (error.index, error.key, error.holder_id),
                (index, key, place.id_of(number)),
            )
