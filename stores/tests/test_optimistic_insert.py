"""Creations in SQLite that aren't read for: nothing but their cost differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.contract import Batch, Conflict, InvalidOperation, Present, Put, Store, Vacant
from stores.registry import open_store
from stores.sqlite.store import SqliteStore
from stores.suite.samples import put


def outcomes(store: Store, *batches: Batch) -> list[str]:
    """What became of each batch; how a wrong operation is worded is each store's own."""
    return [
        type(outcome).__name__ if isinstance(outcome, InvalidOperation) else repr(outcome)
        for outcome in store.commit_many(list(batches))
    ]


GROUPS: dict[str, list[Batch]] = {
    "free": [[put("b", slug="b", when="absent")], [put("c", slug="c", when="absent")]],
    "id taken": [[put("b", slug="b", when="absent")], [put("a", slug="free", when="absent")]],
    "slug taken": [[put("b", slug="a", when="absent")], [put("c", slug="c", when="absent")]],
    "id twice": [[put("b", slug="b", when="absent")], [put("b", slug="c", when="absent")]],
    "slug twice": [[put("b", slug="b", when="absent")], [put("c", slug="b", when="absent")]],
    "taken in two ways": [[put("a", slug="x", when="absent"), Vacant("agent", "slug", ("x",))]],
    "would stand where it stands": [[put("a", slug="x", when="absent"), Vacant("agent", "slug", ("a",))]],
    "not vacant": [[put("b", slug="b", when="absent"), Vacant("agent", "slug", ("a",))]],
    "vacant": [[put("b", slug="b", when="absent"), Vacant("agent", "slug", ("b",), "b")]],
    "only a condition": [[Vacant("agent", "slug", ("a",))], [Vacant("agent", "slug", ("z",))]],
    "nothing": [[], [put("b", slug="b", when="absent")]],
    "present": [[put("b", slug="b", when="absent"), Present("agent", "a")]],
    "invalid": [[Put("agent", "", put("x").message, "absent")], [put("b", slug="b", when="absent")]],
}


@pytest.mark.parametrize("name", GROUPS)
def test_all_comes_to_what_it_comes_to_in_memory(name: str, tmp_path: Path) -> None:
    with open_store(f"sqlite:{tmp_path / 'db'}", create=True) as sqlite, open_store("memory:", create=True) as memory:
        found = []
        for store in (sqlite, memory):
            store.commit([put("a", slug="a")])
            found.append((outcomes(store, *GROUPS[name]), [record[:4] for record in store.scan("agent")]))
        assert found[0] == found[1]


def test_creations_are_inserted_optimistically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(f"sqlite:{tmp_path / 'db'}", create=True) as store:
        assert isinstance(store, SqliteStore)
        with monkeypatch.context() as patched:
            patched.setattr(store, "held", lambda *_: pytest.fail("it was read for"))
            patched.setattr(store, "holder", lambda *_: pytest.fail("it was read for"))
            store.commit_many([[put("b", slug="b", when="absent")], [put("c", slug="c", when="absent")]])
        assert [record.id for record in store.scan("agent")] == ["b", "c"]
        (again,) = store.commit_many([[put("b", slug="d", when="absent")]])
        assert isinstance(again, Conflict)
        assert store.commit([put("d", slug="d", when="absent")]) == 3, "what was rolled back took no position"
