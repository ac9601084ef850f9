"""Conditions, each by itself: none stands for another one of its batch, and names in them are taken as they are."""

from __future__ import annotations

from collections.abc import Iterator

from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from stores.contract import (
    Batch,
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
from stores.schema import KINDS
from stores.suite.check import Bench, Checks, fail, refused, same
from stores.suite.checks.kinds import message_of, put
from stores.suite.outcomes import seen, shown_batch

checks = Checks()
IDS = ("a", "b", "c")
ALIKE = ("{0} ", " {0}", "{1}", "{2}", "{0}\0", "{0}s", "")
"""What looks like a name, of the name as it is, in capitals, and with a capital."""


@checks("kinds-each-condition")
def each(bench: Bench) -> None:
    """Of several puts, deletes, Vacant or Present with a condition, each one that doesn't hold refuses the batch."""
    store = bench.store
    for kind in KINDS:
        store.commit([put(kind, id_, f"old {id_}", "o") for id_ in IDS])
        stale = {id_: _revision(store, kind, id_) for id_ in IDS}
        store.commit([put(kind, id_, f"of {id_}", "o") for id_ in IDS])
        before = [seen(record) for record in store.scan(kind)]
        for batch, error in _with_one_wrong(store, kind, stale):
            refused(f"commit of {shown_batch(batch)}", error, lambda batch=batch: store.commit(batch))  # type: ignore[misc] # binds the loop's value
            same(f"{kind} after {shown_batch(batch)} was refused", [seen(r) for r in store.scan(kind)], before)
        store.commit([put(kind, id_, f"new {id_}", "o", "present", _revision(store, kind, id_)) for id_ in IDS])
        store.commit([Delete(kind, id_, "present", _revision(store, kind, id_)) for id_ in IDS])
        same(f"count of {kind}", store.count(kind), 0)


def _with_one_wrong(store: Store, kind: str, stale: dict[str, int]) -> Iterator[tuple[Batch, type[StoreError]]]:
    """Yield batches of three, of which the condition of one doesn't hold: the first, the second or the third."""
    for wrong in IDS:
        now = {id_: _revision(store, kind, id_) for id_ in IDS} | {wrong: stale[wrong]}
        yield [put(kind, id_, f"new {id_}", "o", expect=now[id_]) for id_ in IDS], RevisionConflict
        yield [Delete(kind, id_, expect=now[id_]) for id_ in IDS], RevisionConflict
        missing = [f"{id_}{'-' if id_ == wrong else ''}" for id_ in IDS]
        yield [put(kind, id_, f"new {id_}", "o", "present") for id_ in missing], Conflict
        yield [Delete(kind, id_, "present") for id_ in missing], Conflict
        there = [f"{id_}{'' if id_ == wrong else '-'}" for id_ in IDS]
        yield [put(kind, id_, f"new {id_}", "o", "absent") for id_ in there], Conflict
        yield [Delete(kind, id_, "absent") for id_ in there], Conflict
        yield [Present(kind, id_) for id_ in missing], Conflict
        for index in KINDS[kind].indexes:
            names = [f"of {id_}" if id_ == wrong else f"free {id_}" for id_ in IDS]
            orgs = ["o" if id_ == wrong else f"o {id_}" for id_ in IDS]
            made = [message_of(kind, "", *words) for words in zip(names, orgs, strict=True)]
            keys = [dict(KINDS[kind].entries(message))[index.name] for message in made]
            yield [Vacant(kind, index.name, key) for key in keys], Conflict


def _revision(store: Store, kind: str, id_: str) -> int:
    record = store.get_record(kind, id_)
    if record is None:
        fail(f"{kind} {id_!a} isn't there")
    return record.revision


@checks("kinds-every-holder")
def every_holder(bench: Bench) -> None:
    """Vacant of each index under which many may stand looks at all of them; `unless` is one id, letter by letter."""
    store = bench.store
    for kind, index in [(of, each) for of in KINDS.values() for each in of.indexes if not each.unique]:
        shared = _sharing(kind.name, index.name)
        store.commit(shared)
        (key,) = (key for name, key in kind.entries(shared[0].message) if name == index.name)
        ids = [one.id for one in shared]
        for unless in (*ids, None, *(f"{ids[0]}{end}" for end in (" ", "\0", "a")), ids[0].upper()):
            first = next(id_ for id_ in ids if id_ != unless)
            vacant = Vacant(kind.name, index.name, key, unless)
            error = refused(f"commit of {shown_batch([vacant])}", Conflict, lambda v=vacant: store.commit([v]))  # type: ignore[misc] # binds the loop's value
            same(f"holder told for {shown_batch([vacant])}", error.holder_id, first)
        store.commit([Delete(kind.name, ids[0]), Vacant(kind.name, index.name, key, ids[1])])
        store.commit([Delete(kind.name, ids[1]), Vacant(kind.name, index.name, key)])


@checks("kinds-first-found")
def first_found(bench: Bench) -> None:
    """Under a key of each index, find answers with the first by position, whoever came to it last, or left it."""
    store = bench.store
    for kind, index in [(of, each) for of in KINDS.values() for each in of.indexes if not each.unique]:
        older, newer = _sharing(kind.name, index.name)
        entry = (index.name, dict(kind.entries(older.message))[index.name])
        away = put(kind.name, older.id, "elsewhere", "elsewhere")
        steps: tuple[tuple[Batch, str | None], ...] = (
            ([away], None),
            ([newer], newer.id),
            ([older._replace(precondition="present")], older.id),
            ([away], newer.id),
            ([older._replace(precondition="present")], older.id),
            ([Delete(kind.name, older.id)], newer.id),
            ([older], newer.id),
            ([Delete(kind.name, newer.id)], older.id),
            ([Delete(kind.name, older.id)], None),
        )
        for batch, wanted in steps:
            store.commit(batch)
            told = f"{kind.name} {entry} after {shown_batch(batch)}"
            same(f"find of {told}", store.find(kind.name, *entry), wanted)
            first = next(store.scan(kind.name, index=entry[0], key=entry[1], limit=1), None)
            same(f"listing of {told}", first and first.id, wanted)


def _sharing(kind: str, index: str) -> list[Put]:
    """Return the creations of two resources that share a key of an index, whatever else keeps them apart."""
    for words in ((("x", "o"), ("y", "o")), (("x", "o"), ("x", "p"))):
        made = [message_of(kind, id_, *each) for id_, each in zip("ab", words, strict=True)]
        for message in made:
            if isinstance(message, IamPolicy):
                message.spec.resource.id = "held"
        one, other = (dict(KINDS[kind].entries(message)) for message in made)
        if one.get(index) == other.get(index):
            return [Put(kind, id_, message, "absent") for id_, message in zip("ab", made, strict=True)]
    raise ValueError(f"the checks know no two resources under one key of {kind}.{index}: add them here")


@checks("exact-names")
def exact_names(bench: Bench) -> None:
    """Names of kinds, indexes and preconditions that only look like those of the contract are refused."""
    store = bench.store
    store.commit([put(kind, "a", "x", "o") for kind in KINDS])
    for kind in KINDS:
        message = put(kind, "a", "x", "o")
        for other in _like(kind, KINDS):
            refused(f"get of kind {other!a}", InvalidOperation, lambda other=other: store.get(other, "a"))  # type: ignore[misc] # binds the loop's value
            refused(f"count of kind {other!a}", InvalidOperation, lambda other=other: store.count(other))  # type: ignore[misc] # binds the loop's value
            batch: Batch = [message._replace(kind=other)]
            refused(f"put of kind {other!a}", InvalidOperation, lambda batch=batch: store.commit(batch))  # type: ignore[misc] # binds the loop's value
        for other in _like("absent", ("any", "absent", "present")):
            batch = [message._replace(id="new", precondition=other)]  # type: ignore[arg-type] # a caller without a type checker
            refused(f"precondition {other!a}", InvalidOperation, lambda batch=batch: store.commit(batch))  # type: ignore[misc] # binds the loop's value
        entries = KINDS[kind].entries(message.message)
        for index, key in entries:
            for other in _like(index, [each.name for each in KINDS[kind].indexes]):
                refused(
                    f"find by {kind} index {other!a}",
                    InvalidOperation,
                    lambda other=other, kind=kind, key=key: store.find(kind, other, key),  # type: ignore[misc] # binds the loop's values
                )


def _like(name: str, known: object) -> list[str]:
    texts = (text.format(name, name.upper(), name.capitalize()) for text in ALIKE)
    return [text for text in texts if text not in known]  # type: ignore[operator] # any collection of names
