"""Agreement: whatever is done, a store answers as the memory store does. Hypothesis searches and shrinks.

Ids, slugs and organizations are few, and begin alike, so that collisions are the rule. After each step both stores
are compared whole: records with positions and revisions, counts, lookups, cursors.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from stores.canonical import canonical_bytes
from stores.contract import Batch, Conflict, Delete, Present, Put, Store, StoreError, Vacant
from stores.memory import MemoryStore
from stores.suite.check import Subject, Violation, same
from stores.suite.samples import agent, as_bytes, instance, slug_key

IDS = ("a", "a\0", "b")
SLUGS = ("s", "s1")
ORGS = ("o", "o1", "")
KINDS = ("agent", "agent_instance")
STEPS_MAX = 12
_numbers = count()

kinds = st.sampled_from(KINDS)
ids = st.sampled_from(IDS)
slugs = st.sampled_from(SLUGS)
orgs = st.sampled_from(ORGS)
preconditions = st.sampled_from(("any", "absent", "present"))
Form = Callable[[Put], Put]


def _as_it_is(put: Put) -> Put:
    return put


def _put(kind: str, id_: str, slug: str, org: str, when: Any, stale: int | None, form: Form = _as_it_is) -> Put:  # noqa: ANN401 - drawn
    if kind == "agent":
        return form(Put(kind, id_, agent(id_, slug, org), when, stale))
    message = instance(id_, "agt-1", org)
    message.metadata.slug = slug
    return form(Put(kind, id_, message, when, stale))


expects = st.sampled_from((None, None, None, 1, 2))
forms = st.sampled_from((_as_it_is, as_bytes))
puts = st.builds(_put, kinds, ids, slugs, orgs, preconditions, expects, forms)
deletes = st.builds(Delete, kinds, ids, preconditions, expects)
vacants = st.builds(Vacant, kinds, st.just("slug"), slugs.map(lambda slug: (slug,)), st.one_of(st.none(), ids))
presents = st.builds(Present, kinds, ids)
batches = st.lists(st.one_of(puts, puts, deletes, vacants, presents), min_size=1, max_size=4)


class Agreement(RuleBasedStateMachine):
    """Does the same to the subject's store and to a memory store, and compares."""

    subject: Subject
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
        self._both("commit", lambda store: store.commit(batch))

    @rule(group=st.lists(batches, min_size=1, max_size=3))
    def commit_many(self, group: list[Batch]) -> None:
        """Commit several batches at once."""
        self._both("commit_many", lambda store: [_told(outcome) for outcome in store.commit_many(group)])

    @rule(kind=kinds, org=orgs, order=st.permutations(IDS))
    def hand_over(self, kind: str, org: str, order: list[str]) -> None:
        """Let a resource give up its slug in the batch in which another takes it, the taker first."""
        giver, taker, _ = order
        held, free = SLUGS
        self._both("commit", lambda store: store.commit([_put(kind, giver, held, org, "any", None)]))
        exchange = [_put(kind, taker, held, org, "any", None), _put(kind, giver, free, org, "any", None)]
        self._both("hand over", lambda store: store.commit(exchange))

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
        scans = [
            (
                store.scan(kind),
                store.scan(kind, after=after, limit=limit),
                store.scan(kind, index="org", key=(org,), after=after),
            )
            for store in (self.store, self.model)
        ]
        self._both("scan, commit", lambda store: store.commit(batch))
        for number, (got, wanted) in enumerate(zip(*scans, strict=True)):
            same(f"listing {number}", [seen(record) for record in got], [seen(record) for record in wanted])

    def _both(self, step: str, call: Callable[[Store], object]) -> None:
        self.steps.append(step)
        same(f"step {len(self.steps)}, {step}", _outcome(call, self.store), _outcome(call, self.model))
        self._compare()

    def _compare(self) -> None:
        for kind in KINDS:
            same(f"{kind}: contents", _contents(self.store, kind), _contents(self.model, kind))
        same("last position", self.store.last_position(), self.model.last_position())


def _contents(store: Store, kind: str) -> dict[str, object]:
    """All that can be read of a kind."""
    by_org = {org: [seen(record) for record in store.scan(kind, index="org", key=(org,))] for org in ORGS if org}
    return {
        "records": [seen(record) for record in store.scan(kind)],
        "by org": by_org,
        "count": store.count(kind),
        "counts": [store.count(kind, index="slug", key=(slug,)) for slug in SLUGS],
        "slugs": [store.find(kind, "slug", (slug,)) for slug in SLUGS],
        "keys": [store.find(kind, "slug_key", slug_key(slug, org)) for slug in SLUGS for org in ORGS],
        "each": [_canonical(kind, store.get_bytes(kind, id_)) for id_ in IDS],
    }


def seen(record: Any) -> tuple[str, int, int, bytes | None]:  # noqa: ANN401 - a Record
    """What of a record must agree."""
    return record.id, record.position, record.revision, _canonical(record.kind, record.data)


def _canonical(kind: str, data: bytes | None) -> bytes | None:
    message_type = Agent if kind == "agent" else AgentInstance
    return None if data is None else canonical_bytes(message_type.FromString(data))


def _outcome(call: Callable[[Store], object], store: Store) -> object:
    try:
        return call(store)
    except StoreError as error:
        return _told(error)


def _told(outcome: object) -> object:
    """What of an outcome must agree: numbers, and of errors the class and what they name."""
    if isinstance(outcome, Conflict):
        return type(outcome).__name__, outcome.kind, outcome.key, outcome.holder_id, outcome.index
    return type(outcome).__name__ if isinstance(outcome, StoreError) else outcome


def check_agreement(
    subject: Subject, examples: int, *, steps_max: int = STEPS_MAX, seed_from_time: bool = False
) -> list[str]:
    """Search for disagreement; return the steps of the smallest one found, or nothing.

    `seed_from_time` False makes the search the same each time, for tests that name what they find.
    """

    class Search(Agreement):
        pass

    Search.subject = subject
    Search.steps = []
    try:
        run_state_machine_as_test(
            Search,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps_max,
                deadline=None,
                database=None,
                derandomize=not seed_from_time,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
                report_multiple_bugs=False,
                print_blob=False,
            ),
        )
    except Violation as violation:
        return [*Search.steps, str(violation)]
    return []
