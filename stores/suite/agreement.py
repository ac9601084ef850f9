"""Agreement: whatever is done, a store answers as the memory store does. Sequences are drawn by a seed, and shrunk.

After each step both stores are compared whole in the kinds that it is about: records with positions and revisions,
counts, lookups and listings under every key that can be.

Sequences aren't drawn by Hypothesis, which tries a sequence several times with small changes before it draws another:
see docs/adr/0024-the-stores-search-draws-its-own-sequences.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import chain, count, product
from typing import Any

from stores.contract import Delete, Put, Record, Store, StoreError
from stores.memory import MemoryStore
from stores.schema import KINDS
from stores.suite.check import StoreUnderTest, Violation, escaped, same
from stores.suite.outcomes import canonical, seen, told
from stores.suite.sequences import IDS, KEYS, Draw, Step, key_of, smallest

EXAMPLES = 60
"""Sequences that are tried: `python -m stores.tests.searched` shows what they find."""
STEPS_MAX = 12
WHOLE_EVERY = 6
"""After each so many steps all kinds are compared, after the others those that the step is about."""
_numbers = count()


class _Pair:
    """A store of the subject and a memory store, to which the same is done."""

    def __init__(self, subject: StoreUnderTest, opened: ExitStack) -> None:
        self._subject = subject
        self._name = f"agreement{next(_numbers)}"
        self._opened = opened
        self.model = MemoryStore()
        self._open()
        self._done = 0

    def _open(self) -> None:
        self.store = self._subject.open(self._name)
        self._opened.callback(self.store.close)

    def do(self, step: Step) -> None:
        """Do a step to both, and compare. Raises Violation, or what the store raises against the contract."""
        if _guesses(step, self.model):
            return
        self._done += 1
        if not step.batches:
            self._reopen()
            return
        listings = [_begun(store, step) for store in (self.store, self.model)]
        got, wanted = (_outcome(store, step) for store in (self.store, self.model))
        same("answer of the last step", got, wanted)
        for (asked, ours), (_, theirs) in zip(*listings, strict=True):
            same(f"listing {asked}, begun before", list(map(seen, ours)), list(map(seen, theirs)))
        everything = self._done % WHOLE_EVERY == 0
        self._compare(KINDS if everything else {operation.kind for batch in step.batches for operation in batch})

    def _reopen(self) -> None:
        """Close the subject's store and open it again; the model has nothing to forget."""
        if self.store.capabilities.persistent:
            self.store.close()
            self._open()
            self._compare(KINDS)

    def _compare(self, touched: Iterable[str]) -> None:
        for kind in touched:
            wanted = _contents(self.model, kind)
            for what, got in _contents(self.store, kind).items():
                same(f"{kind}: {what}", got, wanted[what])
        same("last position", self.store.last_position(), self.model.last_position())


def _guesses(step: Step, before: Store) -> bool:
    """Say whether a step may expect a revision that it gives itself; the contract leaves open what comes of that."""
    written: set[tuple[str, str]] = set()
    for operation in chain.from_iterable(step.batches):
        if not isinstance(operation, Put | Delete):
            continue
        name = (operation.kind, operation.id)
        if name in written and operation.expect is not None:
            record = before.get_record(*name)
            if record is None or operation.expect > record.revision:
                return True
        if isinstance(operation, Put):
            written.add(name)
    return False


def _begun(store: Store, step: Step) -> list[tuple[str, Iterable[Record]]]:
    """Begin the listings of a step; return each with what was asked."""
    if step.listed is None:
        return []
    kind, number, after, limit = step.listed
    places: list[dict[str, Any]] = [{}]
    if KEYS[kind]:
        places.append(dict(zip(("index", "key"), key_of(kind, number), strict=True)))
    bounds: list[dict[str, Any]] = [{}, {"after": after}, {"after": after, "limit": limit}]
    asked = [place | bound for place, bound in product(places, bounds)]
    return [(f"of {kind} {each or 'whole'}", store.scan(kind, **each)) for each in asked]


def _outcome(store: Store, step: Step) -> object:
    """Do a step's batches; return the answer, or of an error what must agree."""
    try:
        if step.is_group:
            return [told(outcome) for outcome in store.commit_many(step.batches)]
        return store.commit(step.batches[0])
    except StoreError as error:
        return told(error)


def _contents(store: Store, kind: str) -> dict[str, object]:
    """All that can be read of a kind."""
    return {
        "records": [seen(record) for record in store.scan(kind)],
        "count": store.count(kind),
        **{
            f"find, count and listing under {index} {key!a}": (
                store.find(kind, index, key),
                store.count(kind, index=index, key=key),
                [record.id for record in store.scan(kind, index=index, key=key)],
            )
            for index, key in KEYS[kind]
        },
        f"get_bytes of {IDS!a}": [canonical(kind, store.get_bytes(kind, id_)) for id_ in IDS],
    }


def _disagreement(subject: StoreUnderTest, steps: Sequence[Step]) -> tuple[int, str] | None:
    """Do steps to a new database; return at which of them the store is wrong and in what, or None."""
    number = 0
    with ExitStack() as opened:
        try:
            pair = _Pair(subject, opened)
            for number, step in enumerate(steps, 1):  # noqa: B007 - told below
                pair.do(step)
        except Violation as violation:
            return number, str(violation)
        except Exception as error:  # noqa: BLE001 - a store may raise anything, and that is a finding
            return number, f"raised {type(error).__name__}: {error}"
    return None


def check_agreement(
    subject: StoreUnderTest, examples: int, *, seed: int = 0, steps_max: int = STEPS_MAX, shrink: bool = True
) -> list[str]:
    """Search for disagreement; return the steps of a smallest one and what is wrong then, or nothing.

    Args:
        subject: The store.
        examples: Sequences to try.
        seed: The same seed tries the same sequences.
        steps_max: Changes of a sequence, of one to five steps each.
        shrink: Whether to look for a smaller sequence than the first that was found.
    """
    for number in range(examples):
        steps: Sequence[Step] = Draw(f"agreement/{seed}/{number}").steps(steps_max)
        wrong = _disagreement(subject, steps)
        if wrong is None:
            continue
        steps = steps[: wrong[0]]
        if shrink:
            steps = smallest(steps, lambda fewer: _disagreement(subject, fewer) is not None)
            wrong = _disagreement(subject, steps) or (len(steps), f"{wrong[1]} (but not when it was tried again)")
        return [*map(str, steps), escaped(wrong[1])]
    return []
