"""Makes indexes, order rows, counts and the last numbers again from the resources.

Of a resource only its index keys are written anew, where they aren't those of its message. Everything is read before
anything is written. SQLite's repair is one transaction; a key-value engine's is several batches, and one that was cut
short is run again.
"""

from __future__ import annotations

from collections.abc import Iterator

from stores.contract import Keys
from stores.integrity.contents import Contents, Resource
from stores.integrity.keyvalue import KeyValueContents, spans_of
from stores.integrity.sqlite import SqliteContents
from stores.keyvalue import layout
from stores.keyvalue.engine import Engine
from stores.keyvalue.rows import RowChanges, Rows
from stores.keyvalue.store import KeyValueStore
from stores.planning import Change
from stores.rules import Held
from stores.schema import Kind, Schema
from stores.sqlite.rows import SqliteRows, key_list_text
from stores.sqlite.store import SqliteStore

_BATCH_ROWS = 5000
"""Well under what one batch of any engine takes."""


def _resources(contents: Contents, kind: Kind) -> Iterator[tuple[Resource, Keys]]:
    """Yield the resources of a kind, with the index keys that their messages have."""
    for each in contents.resources(kind.name):
        if isinstance(each, Resource):
            yield each, tuple(dict.fromkeys(kind.entries(each.message)))


def _numbers(state: layout.State, all_held: list[Held]) -> tuple[int, int]:
    """Return the last position and revision that can have been given out."""
    position = max([state.position, *(held.position for held in all_held)])
    return position, max([state.revision, *(held.revision for held in all_held)])


# ---- key-value


def repair_key_value(store: KeyValueStore, schema: Schema) -> None:
    """Repair an open key-value store; open it again afterwards."""
    engine, codec, sync = store.parts
    with KeyValueContents(engine, codec, schema) as contents:
        changes = [*_stale_records(engine, contents, schema), *_derived_changes(engine, contents, schema)]
    for start in range(0, len(changes), _BATCH_ROWS):
        engine.write(changes[start : start + _BATCH_ROWS], sync=sync)
    store.forget_high_water()


def _stale_records(engine: Engine, contents: KeyValueContents, schema: Schema) -> RowChanges:
    """Return the records whose index keys aren't those of their messages, with the right ones."""
    changes: RowChanges = []
    for kind in schema.values():
        keys_of = layout.KindLayout(kind)
        for resource, keys in _resources(contents, kind):
            if set(keys) != set(resource.keys):
                row = keys_of.record(resource.id)
                message = layout.message_of(engine.get(row) or b"")
                record = layout.pack_record(
                    resource.position, resource.revision, layout.pack_keys(keys), message,
                    checksum=not engine.has_checksums,
                )  # fmt: skip
                changes.append((row, record))
    return changes


def _derived_changes(engine: Engine, contents: KeyValueContents, schema: Schema) -> RowChanges:
    """Return the changes to derived rows, from what is there to what must be there."""
    right = _derived_rows(contents, schema, checksum=not engine.has_checksums)
    changes: RowChanges = []
    snapshot = engine.snapshot()
    try:
        for kind in schema.values():
            spans = spans_of(layout.KindLayout(kind))
            for span in (spans.order, *spans.indexes.values(), *spans.counts.values()):
                for key, value in snapshot.range(*span):
                    expected = right.pop(key, None)
                    if expected != value:
                        changes.append((key, expected))
    finally:
        snapshot.close()
    return [*changes, *right.items()]


def _derived_rows(contents: KeyValueContents, schema: Schema, *, checksum: bool) -> dict[bytes, bytes | None]:
    """Return all rows but records, as they are when every resource is created anew at its position."""
    layouts = {name: layout.KindLayout(kind) for name, kind in schema.items()}
    counts: dict[str, int] = {}
    rows = Rows(lambda _: None, layouts, counts, checksum=checksum)
    all_held: list[Held] = []
    for kind in schema.values():
        for resource, keys in _resources(contents, kind):
            held = Held(resource.position, resource.revision, keys)
            all_held.append(held)
            rows.add(Change(kind, resource.id, None, held))
    state = layout.State(*_numbers(contents.state(), all_held), counts)
    records = tuple(keys.records[0] for keys in layouts.values())
    return {key: value for key, value in rows.finish(state) if not key.startswith(records)}


# ---- SQLite


def repair_sqlite(store: SqliteStore, schema: Schema) -> None:
    """Repair an open SQLite store; open it again afterwards."""
    connections, codec = store.parts
    connection = connections.borrow()
    contents = SqliteContents(connection, codec, schema)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("REINDEX")
        rows, all_held = SqliteRows(is_text=codec.is_text), []
        for kind in schema.values():
            for resource, keys in _resources(contents, kind):
                held = Held(resource.position, resource.revision, keys)
                all_held.append(held)
                rows.add_derived(Change(kind, resource.id, None, held))
                if set(keys) != set(resource.keys):
                    connection.execute(
                        "UPDATE resources SET index_keys = ? WHERE position = ?",
                        (key_list_text(keys), resource.position),
                    )
        numbers = _numbers(contents.state(), all_held)
        for table in ("entries", "unique_entries", "counts"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        rows.execute(connection, *numbers)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connections.give_back(connection)
    store.forget_high_water()
