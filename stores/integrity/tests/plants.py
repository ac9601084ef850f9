"""Damage to plant, one row for each sort of finding: by raw rows in a key-value engine, by SQL in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Delete, Store
from stores.format import checksum_of
from stores.keyvalue import layout
from stores.keyvalue.engine import Engine
from stores.keyvalue.store import KeyValueStore
from stores.schema import KINDS
from stores.suite.samples import slug_key

AGENT = layout.KindLayout(KINDS["agent"])
ID = "agt-0003"
OTHER = "agt-0006"
"""Of the same organization as ID."""
SLUG = layout.pack_key(slug_key("slug-0003", "acme"))

Change = list[tuple[bytes, bytes | None]]
KeyValuePlant = Callable[[Engine], Change]
Row = dict[str, Any]


def _record(engine: Engine, id_: str = ID) -> tuple[bytes, bytes]:
    key = AGENT.record(id_)
    value = engine.get(key)
    assert value is not None
    return key, value


def _again(engine: Engine, change: Callable[[Agent], object] = lambda _: None, **numbers: Any) -> Change:
    """The record of ID with something else in its message or header."""
    key, value = _record(engine)
    held, message = layout.held_of(value), Agent.FromString(layout.message_of(value))
    change(message)
    keys = numbers.get("keys", held.keys)
    position = numbers.get("position", held.position)
    packed = layout.pack_record(
        position, held.revision, layout.pack_keys(keys), message.SerializeToString(deterministic=True), checksum=True
    )
    return [(key, packed)]


def _set(path: str, value: str) -> Callable[[Agent], object]:
    return lambda message: setattr(message.metadata, path, value)


def _order(engine: Engine, shift: int, *, keep: bool) -> Change:
    position = layout.held_of(_record(engine)[1]).position
    row = AGENT.order(position)
    entries = dict(layout.unpack_ordered(row, engine.get(row) or b""))
    id_ = entries.pop(position)
    if keep:
        entries[position + shift] = id_
    return [(row, b"".join(layout.pack_ordered(*each) for each in sorted(entries.items())))]


def _state(engine: Engine, **changes: Any) -> Change:
    state = layout.read_state(engine.get(layout.STATE_KEY))
    return [(layout.STATE_KEY, layout.pack_state(state._replace(**changes)))]


def _count(engine: Engine) -> Change:
    counter = AGENT.counter("org", layout.pack_key(("acme",)))
    assert counter is not None
    return [(counter, layout.pack_count(layout.unpack_count(engine.get(counter)) + 1))]


def _wrong_entry(engine: Engine) -> Change:
    position = layout.held_of(_record(engine)[1]).position
    value = layout.pack_unique(layout.pack_position(position), ID.encode())
    return [(AGENT.unique("slug_key", layout.pack_key(slug_key("nobody", "acme"))), value)]


KEY_VALUE: dict[str, KeyValuePlant] = {
    "resource-unreadable": lambda engine: [(_record(engine)[0], _record(engine)[1][:10])],
    "resource-gone": lambda engine: [(_record(engine)[0], None)],
    "resource-id": lambda engine: _again(engine, _set("id", "agt-else")),
    "resource-keys": lambda engine: _again(engine, keys=(("slug", ("slug-0003",)),)),
    "entry-missing": lambda engine: [(AGENT.unique("slug_key", SLUG), None)],
    "entry-wrong": _wrong_entry,
    "unique-twice": lambda engine: _again(engine, _set("slug", "slug-0006")),
    "position-twice": lambda engine: _again(engine, position=layout.held_of(_record(engine, OTHER)[1]).position),
    "order-missing": lambda engine: _order(engine, 0, keep=False),
    "order-wrong": lambda engine: _order(engine, 1, keep=True),
    "count-wrong": _count,
    "kind-count-wrong": lambda engine: _state(engine, counts={"agent": 99}),
    "number-behind": lambda engine: _state(engine, position=3),
    "row-unreadable": lambda _: [(AGENT.order(0), b"\x01\x00")],
    "row-unknown": lambda _: [(b"zz", b"")],
}


def plant_key_value(store: KeyValueStore, what: str) -> None:
    engine, _, _ = store.parts
    engine.write(KEY_VALUE[what](engine), sync=False)


def _message(db: sqlite3.Connection, change: Callable[[Agent], object]) -> None:
    message = Agent.FromString(_one(db, "SELECT data FROM resources WHERE id = 'agt-0003'"))
    change(message)
    data = message.SerializeToString(deterministic=True)
    db.execute("UPDATE resources SET data = ?, checksum = ? WHERE id = ?", (data, checksum_of(data), ID))


def _one(db: sqlite3.Connection, query: str) -> Any:
    return db.execute(query).fetchone()[0]


def _tree_index(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA writable_schema = ON")
    changed = db.execute(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'idx_resources_kind'", ('("kind")', '("data")')
    )
    assert changed.rowcount == 1
    assert '"data"' in _one(db, "SELECT sql FROM sqlite_master WHERE name = 'idx_resources_kind'")


SQLITE: dict[str, str | Callable[[sqlite3.Connection], None]] = {
    "resource-unreadable": "UPDATE resources SET data = 'nonsense' WHERE id = 'agt-0003'",
    "resource-gone": "DELETE FROM resources WHERE id = 'agt-0003'",
    "resource-id": lambda db: _message(db, _set("id", "agt-else")),
    "resource-keys": "UPDATE resources SET index_keys = '[]' WHERE id = 'agt-0003'",
    "entry-missing": "DELETE FROM unique_entries WHERE id = 'agt-0003'",
    "entry-wrong": "INSERT INTO entries SELECT kind, 'slug', '[\"nobody\"]', position, id FROM resources "
    "WHERE id = 'agt-0003'",
    "unique-twice": lambda db: _message(db, _set("slug", "slug-0006")),
    "count-wrong": "UPDATE counts SET count = count + 1 WHERE kind = 'agent' AND index_name = 'org'",
    "kind-count-wrong": "UPDATE counts SET count = 99 WHERE kind = 'agent' AND index_name = ''",
    "number-behind": "UPDATE state SET position = 3",
    "row-unreadable": "UPDATE entries SET position = 'four' WHERE id = 'agt-0003' AND index_name = 'slug'",
    "row-unknown": "INSERT INTO entries VALUES ('nope', 'slug', '[]', 1, 'x')",
    "tree-index": _tree_index,
}


def plant_sqlite(path: Path, what: str) -> None:
    damage = SQLITE[what]
    with closing(sqlite3.connect(path)) as db, db:
        if isinstance(damage, str):
            assert db.execute(damage).rowcount
        else:
            damage(db)


REFERENCES: dict[str, tuple[str, str]] = {
    "agent-gone": ("agent", ID),
    "policy-of-nothing": ("agent", ID),
    "default-instance-gone": ("agent_instance", "ain-0003"),
}
"""What is deleted alone."""


def plant_reference(store: Store, what: str) -> None:
    store.commit([Delete(*REFERENCES[what], precondition="present")])
