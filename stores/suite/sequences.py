"""Sequences of steps that are done to a store and to the memory store alike: drawn by a seed, and made smaller.

Ids, and the texts that index keys are made of, are few and begin alike, so that collisions are the rule. Each sequence
is about some kinds, ids and ways to change them only, drawn for it, so that a step meets what earlier ones have left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

from google.protobuf.message import Message

from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.parity.v1.event_pb2 import Cursor, Revocation
from stores.contract import Batch, BatchOperation, Delete, IndexKey, Precondition, Present, Put, Vacant
from stores.schema import KINDS
from stores.suite.outcomes import shown_batch
from stores.suite.samples import agent, as_bytes, event, instance, policy

IDS = ("a", "a\0", "b")
SLUGS = ("s", "s1")
ORGS = ("o", "o1", "")
LINKS = ("l", "l1")
INDEXED = tuple(name for name, kind in KINDS.items() if kind.indexes)
PRECONDITIONS: tuple[Precondition, ...] = ("any", "any", "absent", "present")
EXPECTED_EVERY, REVISIONS_MAX = 5, 6
"""One put or delete in so many expects a revision, of one of the first puts of a sequence."""


class Look(NamedTuple):
    """What a resource's index keys are made of: slug, organization, and the resource that it belongs to."""

    slug: str
    org: str
    link: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is done at once: batches, by `commit` or else `commit_many`; or, without any, the store is opened again.

    With `listed` (a kind, the number of one of its keys, `after` and `limit`) listings are begun before it, and read to
    their end after it.
    """

    batches: tuple[Batch, ...] = ()
    is_group: bool = False
    listed: tuple[str, int, int, int] | None = None

    def __str__(self) -> str:
        if not self.batches:
            return "reopen"
        told = f"{'commit_many' if self.is_group else 'commit'} {' '.join(map(shown_batch, self.batches))}"
        if self.listed is None:
            return told
        kind, number, after, limit = self.listed
        place = "" if not KEYS[kind] else " and those under {} {!a}".format(*key_of(kind, number))
        return f"begin to list all {kind}{place}, also after {after}, also {limit} of them; {told}"


def message_of(kind: str, id_: str, look: Look) -> Message:
    """Return a resource whose index keys are made of few texts, so that they collide."""
    slug, org, link = look
    match kind:
        case "agent_instance":
            made = instance(id_, link, org)
            made.metadata.slug = slug
            return made
        case "environment":
            return Environment(metadata=agent(id_, slug, org).metadata)
        case "iam_policy":
            granted = policy(id_, slug, principal=org or "p", resource=link)
            granted.spec.principal.relation = "" if slug == "s" else "member"
            return granted
        case _:
            return {
                "agent": agent(id_, slug, org),
                "event": event(id_, slug),
                "cursor": Cursor(name=id_, position=len(slug)),
                "revocation": Revocation(policy=policy(id_, slug).spec),
            }[kind]


def _keys_drawn(kind: str) -> list[tuple[str, IndexKey]]:
    """Return every index key that a drawn resource of a kind can have."""
    made = (message_of(kind, id_, Look(*look)) for id_, *look in product(IDS, SLUGS, ORGS, LINKS))
    return sorted({entry for message in made for entry in KINDS[kind].entries(message)})


KEYS = {kind: _keys_drawn(kind) for kind in KINDS}


def key_of(kind: str, number: int) -> tuple[str, IndexKey]:
    """Return one of a kind's keys; of a kind without any, one that it doesn't have."""
    return KEYS[kind][number % len(KEYS[kind])] if KEYS[kind] else ("slug", ("s",))


class Draw:
    """Draws the steps of one sequence; `rules` are the ways to change something that it was drawn to have."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        choose = self._random
        self._kinds = choose.sample((*INDEXED, choose.choice(tuple(KINDS))), choose.choice((1, 1, 2)))
        self._ids = choose.sample(IDS, choose.choice((2, 2, 3)))
        every = (self._one, self._several, self._hand_over, self._change, self._change, self._list, self._reopen)
        self._rules: Sequence[Callable[[], Iterator[Step]]] = (self._change, *choose.sample(every, 4))

    def steps(self, number: int) -> list[Step]:
        """Return what so many rules come to."""
        return [step for _ in range(number) for step in self._random.choice(self._rules)()]

    # ---- the rules

    def _one(self) -> Iterator[Step]:
        yield Step((self._batch(),))

    def _several(self) -> Iterator[Step]:
        yield Step(tuple(self._batch() for _ in range(self._random.randint(1, 3))), is_group=True)

    def _reopen(self) -> Iterator[Step]:
        yield Step()

    def _list(self) -> Iterator[Step]:
        listed = (self._kind(), self._random.randrange(100), self._random.randint(0, 8), self._random.randint(0, 3))
        yield Step((self._batch(),), listed=listed)

    def _hand_over(self) -> Iterator[Step]:
        """Let a resource give up its slug in the batch in which another takes it, the taker first."""
        kind, org, (giver, taker) = self._kind(), self._random.choice(ORGS), self._random.sample(IDS, 2)
        held, free = (Look(slug, org, LINKS[0]) for slug in SLUGS)
        yield Step(([_put(kind, giver, held)],))
        yield Step(([_put(kind, taker, held), _put(kind, giver, free)],))

    def _change(self) -> Iterator[Step]:
        """Put a resource under keys, and again under others, removed before or not: nothing old stays or comes back."""
        kind, id_ = self._kind(), self._id()
        batches: list[Batch] = []
        for _ in range(self._random.choice((2, 2, 3))):
            batches += [[Delete(kind, id_)]] if batches and self._is_heads() else []
            batches.append([_put(kind, id_, self._look())])
        if self._is_heads():
            yield Step(tuple(batches), is_group=True)
        else:
            yield from (Step((batch,)) for batch in batches)

    # ---- their operands

    def _kind(self) -> str:
        return self._random.choice(self._kinds)

    def _id(self) -> str:
        return self._random.choice(self._ids)

    def _look(self) -> Look:
        return Look(*map(self._random.choice, (SLUGS, ORGS, LINKS)))

    def _batch(self) -> Batch:
        makers = (self._put, self._put, self._delete, self._condition)
        return [self._random.choice(makers)() for _ in range(self._random.randint(1, 4))]

    def _put(self) -> Put:
        put = _put(self._kind(), self._id(), self._look())._replace(precondition=self._when(), expect=self._expect())
        return as_bytes(put) if self._is_heads() else put

    def _delete(self) -> Delete:
        return Delete(self._kind(), self._id(), self._when(), self._expect())

    def _condition(self) -> BatchOperation:
        if self._is_heads():
            return Present(self._kind(), self._id())
        kind = self._kind()
        return Vacant(kind, *key_of(kind, self._random.randrange(100)), self._random.choice((None, *self._ids)))

    def _is_heads(self) -> bool:
        return self._random.choice((True, False))

    def _when(self) -> Precondition:
        return self._random.choice(PRECONDITIONS)

    def _expect(self) -> int | None:
        return self._random.randint(1, REVISIONS_MAX) if self._random.randrange(EXPECTED_EVERY) == 0 else None


def _put(kind: str, id_: str, look: Look) -> Put:
    return Put(kind, id_, message_of(kind, id_, look))


def smallest(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> Sequence[Step]:
    """Leave out steps, batches and operations for as long as what is left fails; return what can't be made smaller."""
    size = len(steps)
    while size:
        start = 0
        while start < len(steps):
            without = [*steps[:start], *steps[start + size :]]
            if without and fails(without):
                steps = without
            else:
                start += size
        size = size // 2
    while (smaller := next(filter(fails, _smaller(steps)), None)) is not None:
        steps = smaller
    return steps


def _smaller(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Yield the sequence with one part of one step left out, or a step done more simply."""
    for place, step in enumerate(steps):
        for smaller in _parts(step):
            yield [*steps[:place], smaller, *steps[place + 1 :]]


def _parts(step: Step) -> Iterator[Step]:
    if step.listed is not None:
        yield replace(step, listed=None)
    if step.is_group and len(step.batches) == 1:
        yield replace(step, is_group=False)
    for number, batch in enumerate(step.batches):
        before, after = step.batches[:number], step.batches[number + 1 :]
        if len(step.batches) > 1:
            yield replace(step, batches=(*before, *after))
        for operation in range(len(batch) if len(batch) > 1 else 0):
            yield replace(step, batches=(*before, [*batch[:operation], *batch[operation + 1 :]], *after))
