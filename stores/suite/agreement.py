"""Agreement: whatever is done, a store answers as the memory store does. Hypothesis searches and shrinks.

Ids, slugs and organizations are few, and begin alike, so that collisions are the rule. After each step both stores
are compared whole: records with positions and revisions, counts, lookups, cursors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.parity.v1.event_pb2 import Cursor, Revocation
from stores.contract import Batch, Delete, IndexKey, Present, Put, Store, StoreError, Vacant
from stores.memory import MemoryStore
from stores.schema import KINDS
from stores.suite.check import StoreUnderTest, Violation, escaped, same
from stores.suite.outcomes import canonical, seen, shown_batch, told
from stores.suite.samples import agent, as_bytes, event, instance, policy

IDS = ("a", "a\0", "b")
SLUGS = ("s", "s1")
ORGS = ("o", "o1", "")
EXAMPLES = 60
"""Sequences that are tried: `python -m stores.tests.searched` shows what they find."""
STEPS_MAX = 12
WHOLE_EVERY = 6
"""After each so many steps all kinds are compared, after the others those that the step is about."""
_numbers = count()

kinds = st.sampled_from(("agent", "agent_instance", "iam_policy", *KINDS))
"""All kinds; those with the most rules most often."""
ids = st.sampled_from(IDS)
slugs = st.sampled_from(SLUGS)
orgs = st.sampled_from(ORGS)
preconditions = st.sampled_from(("any", "absent", "present"))
Form = Callable[[Put], Put]


def _message(kind: str, id_: str, slug: str, org: str) -> Message:
    """Return a resource whose index keys are made of few texts, so that they collide."""
    match kind:
        case "agent_instance":
            made = instance(id_, "agt-1", org)
            made.metadata.slug = slug
            return made
        case "environment":
            return Environment(metadata=agent(id_, slug, org).metadata)
        case "iam_policy":
            granted = policy(id_, slug, principal=org or "p")
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
    made = (_message(kind, id_, slug, org) for id_ in IDS for slug in SLUGS for org in ORGS)
    return sorted({entry for message in made for entry in KINDS[kind].entries(message)})


KEYS = {kind: _keys_drawn(kind) for kind in KINDS}


def _as_it_is(put: Put) -> Put:
    return put


def _put(kind: str, id_: str, slug: str, org: str, when: Any, stale: int | None, form: Form = _as_it_is) -> Put:  # noqa: ANN401 - drawn
    return form(Put(kind, id_, _message(kind, id_, slug, org), when, stale))


def _vacant(kind: str, key: int, unless: str | None) -> Vacant:
    """Ask for one of a kind's keys; a kind without any asks for one that it doesn't have."""
    index, value = KEYS[kind][key % len(KEYS[kind])] if KEYS[kind] else ("slug", ("s",))
    return Vacant(kind, index, value, unless)


expects = st.sampled_from((None, None, None, 1, 2))
forms = st.sampled_from((_as_it_is, as_bytes))
puts = st.builds(_put, kinds, ids, slugs, orgs, preconditions, expects, forms)
deletes = st.builds(Delete, kinds, ids, preconditions, expects)
vacants = st.builds(_vacant, kinds, st.integers(0, 20), st.one_of(st.none(), ids))
presents = st.builds(Present, kinds, ids)
batches = st.lists(st.one_of(puts, puts, deletes, vacants, presents), min_size=1, max_size=4)


class Agreement(RuleBasedStateMachine):
    """Does the same to the subject's store and to a memory store, and compares."""

    subject: StoreUnderTest
    steps: list[str]
    """What the last run did: after Hypothesis has shrunk a failure, its smallest form."""

    def __init__(self) -> None:
        super().__init__()
        self.name = f"agreement{next(_numbers)}"
        self.model = MemoryStore()
        self.store = self.subject.open(self.name)
        type(self).steps = []

    def teardown(self) -> None:
        """Close both stores."""
        self.store.close()
        self.model.close()

    @rule(batch=batches)
    def commit(self, batch: Batch) -> None:
        """Commit one batch."""
        self.commit_one(batch)

    @rule(group=st.lists(batches, min_size=1, max_size=3))
    def commit_many(self, group: list[Batch]) -> None:
        """Commit several batches at once."""
        self.commit_group(group)

    @rule(kind=kinds, org=orgs, order=st.permutations(IDS))
    def hand_over(self, kind: str, org: str, order: list[str]) -> None:
        """Let a resource give up its slug in the batch in which another takes it, the taker first."""
        giver, taker, _ = order
        held, free = SLUGS
        self.commit_one([_put(kind, giver, held, org, "any", None)])
        self.commit_one([_put(kind, taker, held, org, "any", None), _put(kind, giver, free, org, "any", None)])

    @rule(kind=kinds, id_=ids, org=orgs, first=slugs, then=slugs, together=st.booleans())
    def remove_and_create(self, kind: str, id_: str, org: str, first: str, then: str, *, together: bool) -> None:
        """Create a resource, remove it and create it again, under the same keys or others: nothing old comes back."""
        old, new = (_put(kind, id_, slug, org, "any", None) for slug in (first, then))
        batches: list[Batch] = [[old], [Delete(kind, id_)], [new]]
        if together:
            self.commit_group(batches)
        else:
            for batch in batches:
                self.commit_one(batch)

    @precondition(lambda self: self.store.capabilities.persistent)
    @rule()
    def reopen(self) -> None:
        """Close the subject's store and open it again; the model has nothing to forget."""
        self.steps.append("reopen")
        self.store.close()
        self.store = self.subject.open(self.name)
        self._compare()

    @rule(kind=kinds, org=orgs.filter(bool), after=st.integers(0, 6), limit=st.integers(0, 3), batch=batches)
    def scan(self, kind: str, org: str, after: int, limit: int, batch: Batch) -> None:
        """Begin listings, commit, and finish them: they show the state at their beginning."""
        index, key = next((entry for entry in KEYS[kind] if org in entry[1]), ("", ()))
        scans = [
            (
                store.scan(kind),
                store.scan(kind, after=after, limit=limit),
                *((store.scan(kind, index=index, key=key, after=after),) if index else ()),
            )
            for store in (self.store, self.model)
        ]
        asked = f"all; after {after} limit {limit}" + (f"; {index} {key!a} after {after}" if index else "")
        self.steps.append(f"begin to list {kind} ({asked})")
        self.commit_one(batch)
        for number, (got, wanted) in enumerate(zip(*scans, strict=True)):
            same(f"listing {number}", [seen(record) for record in got], [seen(record) for record in wanted])

    def commit_one(self, batch: Batch) -> None:
        """Commit a batch to both stores, and compare."""
        self.steps.append(f"commit {shown_batch(batch)}")
        self._both([batch], lambda store: store.commit(batch))

    def commit_group(self, group: list[Batch]) -> None:
        """Commit batches to both stores at once, and compare."""
        self.steps.append(f"commit_many {' '.join(map(shown_batch, group))}")
        self._both(group, lambda store: [told(outcome) for outcome in store.commit_many(group)])

    def _both(self, group: list[Batch], call: Callable[[Store], object]) -> None:
        same(f"answer of step {len(self.steps)}", _outcome(call, self.store), _outcome(call, self.model))
        everything = len(self.steps) % WHOLE_EVERY == 0
        self._compare(KINDS if everything else {operation.kind for batch in group for operation in batch})

    def _compare(self, touched: Iterable[str] = KINDS) -> None:
        for kind in touched:
            same(f"{kind}: contents", _contents(self.store, kind), _contents(self.model, kind))
        same("last position", self.store.last_position(), self.model.last_position())


def _contents(store: Store, kind: str) -> dict[str, object]:
    """All that can be read of a kind."""
    return {
        "records": [seen(record) for record in store.scan(kind)],
        "count": store.count(kind),
        "under keys": {
            (index, key): (
                store.find(kind, index, key),
                store.count(kind, index=index, key=key),
                [record.id for record in store.scan(kind, index=index, key=key)],
            )
            for index, key in KEYS[kind]
        },
        "each": [canonical(kind, store.get_bytes(kind, id_)) for id_ in IDS],
    }


def _outcome(call: Callable[[Store], object], store: Store) -> object:
    try:
        return call(store)
    except StoreError as error:
        return told(error)


def check_agreement(
    subject: StoreUnderTest, examples: int, *, seed: int = 0, steps_max: int = STEPS_MAX, shrink: bool = True
) -> list[str]:
    """Search for disagreement; return the steps of the smallest one found, or nothing.

    Args:
        subject: The store.
        examples: Sequences to try.
        seed: The same seed tries the same sequences.
        steps_max: Steps of a sequence.
        shrink: Whether to look for a smaller sequence than the first that was found.
    """

    class Search(Agreement):
        pass

    Search.subject = subject
    Search.steps = []
    try:
        run_state_machine_as_test(
            seeded(seed)(Search),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps_max,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
                print_blob=False,
            ),
        )
    except Violation as violation:
        return [*Search.steps, escaped(str(violation))]
    return []
