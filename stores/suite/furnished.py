"""A database with something of everything: what verify, salvage and the tests of damage are tried on."""

from __future__ import annotations

from stores.contract import Delete, Put, Store
from stores.suite.samples import agent, event, instance, policy

ORGANIZATIONS = ("acme", "bolt", "")
"""The last stands for the platform."""


def furnish(store: Store, agents: int = 50, *, text_bytes: int = 600, compact: bool = True) -> None:
    """Create agents with instance, policy and event, as a server does; change some, delete some, and compact halfway.

    What was written before the compaction stands in tables, the rest in logs, where the engine has both.
    """
    for number in range(agents):
        _create(store, number, text_bytes)
        if number % 5 == 0:
            _create(store, agents + number, text_bytes)
            _delete(store, agents + number)
        if number % 7 == 0:
            _create(store, number, text_bytes * 2, again=True)
        if compact and number == agents // 2:
            store.compact()


def _create(store: Store, number: int, text_bytes: int, *, again: bool = False) -> None:
    name, when = f"{number:04}", "present" if again else "absent"
    org = ORGANIZATIONS[number % len(ORGANIZATIONS)]
    text = f"{name} says {number * 7919} times: " * (text_bytes // 20)
    message = agent(f"agt-{name}", f"slug-{name}", org, text)
    message.status.default_instance_id = f"ain-{name}"
    batch = [Put("agent", f"agt-{name}", message, when)]  # type: ignore[arg-type] # one of two literals
    if not again:
        batch += [
            Put("agent_instance", f"ain-{name}", instance(f"ain-{name}", f"agt-{name}"), "absent"),
            Put("iam_policy", f"iamp-{name}", policy(f"iamp-{name}", "owner", "ada", f"agt-{name}"), "absent"),
        ]
    sort = "updated" if again else "created"
    batch.append(Put("event", f"{sort}-{name}", event(f"{sort}-{name}", f"agt-{name}"), "absent"))
    store.commit(batch)


def _delete(store: Store, number: int) -> None:
    name = f"{number:04}"
    store.commit([Delete("iam_policy", f"iamp-{name}"), Delete("agent_instance", f"ain-{name}")])
    store.commit([Delete("agent", f"agt-{name}")])
