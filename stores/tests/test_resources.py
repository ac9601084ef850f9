"""The original interface's names."""

from __future__ import annotations

from stores.memory import MemoryStore
from stores.resources import ResourceStore
from stores.suite.samples import agent


def test_sugar() -> None:
    store = ResourceStore(MemoryStore())
    for number in range(3):
        store.save_resource("agent", f"a{number}", agent(f"a{number}", org=f"org{number % 2}"))
    assert store.get_resource("agent", "a1") == agent("a1", org="org1")
    assert len(store.list_resources("agent")) == 3
    by_org = store.list_resources_by_org("agent", "org0")
    assert by_org == [agent(id_, org="org0").SerializeToString(deterministic=True) for id_ in ("a0", "a2")]
    store.delete_resource("agent", "a0")
    store.delete_resource("agent", "a0")
    assert store.delete_resources_by_kind("agent") == 2
    assert store.list_resources("agent") == []
    store.close()
