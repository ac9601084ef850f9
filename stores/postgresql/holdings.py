"""What a plan is told of the store before it is written, and what of that the write must make sure of.

A write holds its lock within one call of the database only: never while this process thinks. So a batch is planned over
what was read before (`Read`), or over what it assumes without reading (`Assumed`: what it creates isn't there, what was
read lately is as it was then). Either notes what it told the plan; the write is refused if that isn't so any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from stores.contract import Batch, CorruptRecord, Delete, IndexKey, Present, Put, StoreError, Vacant
from stores.postgresql.arrays import Blobs, Longs, Texts
from stores.postgresql.names import id_of, key_bytes, name_of, read_key_list
from stores.rules import Held, check_key, check_put, keys_of
from stores.schema import Schema

Name = tuple[str, str]
Key = tuple[str, str, IndexKey]
THERE, ABSENT = -1, -2
"""Stand for a revision: the resource is there in any; it isn't there."""


@dataclass(slots=True)
class Met:
    """What a plan was told, for the write to compare."""

    revisions: dict[Name, int] = field(default_factory=dict)
    free: dict[Key, list[int]] = field(default_factory=dict)
    """Index keys that must be vacant, and the positions that may stand there."""
    position: int | None = None
    """The last position given out, where the plan depends on it."""

    def columns(self) -> dict[str, object]:
        """Return the parameters of the write."""
        known = [(row, at) for row, positions in enumerate(self.free.values(), 1) for at in positions]
        return {
            "p_last_position": self.position,
            "p_met_kind": Texts(kind for kind, _ in self.revisions),
            "p_met_name": Blobs(name_of(id_) for _, id_ in self.revisions),
            "p_met_revision": Longs(self.revisions.values()),
            "p_free_kind": Texts(kind for kind, _, _ in self.free),
            "p_free_index": Texts(index for _, index, _ in self.free),
            "p_free_key": Blobs(key_bytes(key) for _, _, key in self.free),
            "p_known_row": Longs(row for row, _ in known),
            "p_known_position": Longs(at for _, at in known),
        }


class Assumed:
    """Holdings without reading. Whatever a plan over them refuses is to be planned again over what is there."""

    def __init__(self, batches: Sequence[Batch], lately: Mapping[Name, Held]) -> None:
        self.met = Met()
        self._lately = lately
        self._present = {(each.kind, each.id) for batch in batches for each in batch if isinstance(each, Present)}

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002 - the field's name in the wire contract
        """See `Holdings`."""
        name = (kind, id)
        held = self._lately.get(name)
        if name in self._present and held is None:
            self.met.revisions[name] = THERE
            return Held(0, THERE, ())
        self.met.revisions[name] = ABSENT if held is None else held.revision
        return held

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Holdings`. Nobody: the table of unique keys refuses one that is taken."""

    def entries(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """See `Holdings`."""
        self.met.free.setdefault((kind, index, key), [])
        return iter(())


def can_assume(batches: Sequence[Batch], lately: Mapping[Name, Held]) -> bool:
    """Say whether batches can be planned without reading: they create, and change only what was read lately."""
    touched: set[Name] = set()
    for batch in batches:
        for each in batch:
            if isinstance(each, Put | Delete):
                name = (each.kind, each.id)
                if (name in lately) == (each.precondition == "absent") or name in touched:
                    return False
                if isinstance(each, Put) and each.position is not None:
                    return False
                touched.add(name)
    presents = {(each.kind, each.id) for batch in batches for each in batch if isinstance(each, Present)}
    return not presents & touched


@dataclass(slots=True)
class Asked:
    """What a plan over batches may ask."""

    names: dict[Name, None] = field(default_factory=dict)
    keys: dict[Key, None] = field(default_factory=dict)
    is_restore: bool = False


def asked_by(schema: Schema, batches: Sequence[Batch]) -> Asked:
    """Return what a plan over batches may ask. What is wrong with a batch is left for the plan to say."""
    asked = Asked()
    for batch in batches:
        for each in batch:
            with suppress(StoreError, LookupError, UnicodeEncodeError):
                _ask(asked, schema, each)
    return asked


def _ask(asked: Asked, schema: Schema, each: Put | Delete | Present | Vacant) -> None:
    kind = schema[each.kind]
    if isinstance(each, Vacant):
        check_key(kind.index(each.index).name, each.key)
        asked.keys[each.kind, each.index, each.key] = None
        return
    each.id.encode()
    asked.names[each.kind, each.id] = None
    if isinstance(each, Put):
        check_put(kind, each)
        asked.is_restore |= each.position is not None
        for index, key in keys_of(kind, each):
            if index in kind.unique:
                asked.keys[each.kind, index, key] = None


_READ = """
SELECT 0, asked.n, r.position, r.revision, r.name, r.long_id, r.index_keys
  FROM unnest(%b::text[], %b::bytea[]) WITH ORDINALITY AS asked (kind, name, n)
  JOIN resources AS r ON r.kind = asked.kind AND r.name = asked.name
UNION ALL
SELECT 1, asked.n, held.position, 0, r.name, r.long_id, NULL
  FROM unnest(%b::text[], %b::text[], %b::bytea[]) WITH ORDINALITY AS asked (kind, index_name, key, n)
  CROSS JOIN LATERAL (
    SELECT position FROM entries AS e
      WHERE e.kind = asked.kind AND e.index_name = asked.index_name AND e.key = asked.key
    UNION ALL SELECT position FROM unique_entries AS u
      WHERE u.kind = asked.kind AND u.index_name = asked.index_name AND u.key = asked.key
  ) AS held
  JOIN resources AS r ON r.position = held.position
UNION ALL
SELECT 2, 0, position, revision, NULL, NULL, NULL FROM state
ORDER BY 1, 2, 3
"""


class Read:
    """Holdings read in one statement, so that they are one state."""

    statement = _READ

    def __init__(self, asked: Asked) -> None:
        self.met = Met()
        self._names = list(asked.names)
        self._keys = list(asked.keys)
        self._is_restore = asked.is_restore
        self._found: dict[Name, tuple[int, int, bytes]] = {}
        self._entries: dict[Key, list[tuple[int, str]]] = {}

    @property
    def values(self) -> tuple[object, ...]:
        """The parameters of the statement."""
        return (
            Texts(kind for kind, _ in self._names),
            Blobs(name_of(id_) for _, id_ in self._names),
            Texts(kind for kind, _, _ in self._keys),
            Texts(index for _, index, _ in self._keys),
            Blobs(key_bytes(key) for _, _, key in self._keys),
        )

    def take(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take what the statement answered."""
        for sort, number, position, revision, name, long_id, keys in rows:
            if sort == 0:
                self._found[self._names[number - 1]] = (position, revision, keys)
            elif sort == 1:
                entry = (position, id_of(name, long_id))
                self._entries.setdefault(self._keys[number - 1], []).append(entry)
            elif self._is_restore:
                self.met.position = position

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002
        """See `Holdings`."""
        found = self._found.get((kind, id))
        if found is None:
            self.met.revisions[kind, id] = ABSENT
            return None
        position, revision, keys = found
        self.met.revisions[kind, id] = revision
        return held_of(kind, id, position, revision, keys)

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Holdings`. That it is so still, the table of unique keys sees to."""
        return next((id_ for _, id_ in self._entries.get((kind, index, key), ())), None)

    def entries(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """See `Holdings`."""
        entries = self._entries.get((kind, index, key), [])
        self.met.free[kind, index, key] = [position for position, _ in entries]
        return iter(entries)


def held_of(kind: str, id_: str, position: int, revision: int, keys: bytes) -> Held:
    """Return what a row says of a resource. Raises CorruptRecord."""
    try:
        return Held(position, revision, read_key_list(keys))
    except (ValueError, TypeError) as error:
        raise CorruptRecord(kind, id_, f"its index keys can't be read: {error}") from error
