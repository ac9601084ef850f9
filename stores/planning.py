"""What a batch comes to: the rules of a commit, apart from any medium.

A store that finds out what it holds (`Holdings`) gets from a `Plan` the changes it has to write, or the conflict.
The rules stand here once; `memory.py` states them a second time, on purpose, so that one can judge the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from stores.codecs import Codec
from stores.contract import (
    Batch,
    Conflict,
    Delete,
    IndexKey,
    Keys,
    Present,
    Put,
    StoreError,
    StoreUnavailable,
    Vacant,
)
from stores.rules import Held, check_id, check_key, check_preconditions, check_put, encoded, keys_of, next_position
from stores.schema import Kind, Schema, kind_of


class Holdings(Protocol):
    """What a store holds before a commit."""

    def held(self, kind: str, id: str) -> Held | None:  # noqa: A002 - the field's name in the wire contract
        """Return what is stored under an id, or None."""
        ...

    def holder(self, kind: str, index: str, key: IndexKey) -> str | None:
        """Return the id that holds a key of a unique index, or None."""
        ...

    def entries(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """Yield (position, id) of the resources under an index key, by position."""
        ...


@dataclass(slots=True)
class Change:
    """One resource before and after a plan. `after` None is a removal; `stored` is what the codec made of `after`."""

    kind: Kind
    id: str
    before: Held | None
    after: Held | None
    stored: bytes = b""

    @property
    def stays(self) -> bool:
        """The resource was there and still is (not removed, not created, not created anew)."""
        return self.before is not None and self.after is not None and self.before.position == self.after.position

    def index_changes(self) -> tuple[Keys, Keys]:
        """Return the index keys whose rows go and those whose rows come."""
        before = self.before.keys if self.before else ()
        after = self.after.keys if self.after else ()
        if not self.stays:
            return before, after
        if before == after:
            return (), ()
        return tuple(key for key in before if key not in after), tuple(key for key in after if key not in before)


Changes = dict[tuple[str, str], Change]
Overlay = dict[tuple[str, str, IndexKey], dict[str, int | None]]


class Plan:
    """Plans batches one after another over what a store holds. A batch that fails leaves no trace in the plan.

    Positions and revisions go on from the numbers given; `position` and `revision` are the last ones given out.
    Messages are encoded while planning, so that one that can't be encoded fails its own batch only.
    """

    def __init__(self, schema: Schema, holdings: Holdings, codec: Codec, position: int, revision: int) -> None:
        self.position = position
        self.revision = revision
        self.changes: Changes = {}
        self._schema = schema
        self._holdings = holdings
        self._codec = codec
        self._overlay: Overlay = {}
        self._not_in_overlay: list[Changes] = []
        self._changes_are_staged = False
        """`changes` is the first batch's own dict, which the overlay still needs as it is."""

    def add(self, batch: Batch) -> int:
        """Plan one more batch; return the position of the last resource it creates, or 0.

        Raises Conflict, RevisionConflict, InvalidOperation.
        """
        position, revision = self.position, self.revision
        staged: Changes = {}
        conditions: list[Vacant | Present] = []
        try:
            for operation in batch:
                if isinstance(operation, Put):
                    self._put(operation, staged)
                elif isinstance(operation, Delete):
                    self._delete(operation, staged)
                else:
                    conditions.append(operation)
            self._check_unique(staged)
            for condition in conditions:
                self._check_condition(condition, staged)
        except BaseException:
            self.position, self.revision = position, revision
            raise
        created = self.position if self.position > position else 0
        self._merge(staged)
        return created

    def _merge(self, staged: Changes) -> None:
        self._not_in_overlay.append(staged)
        if not self.changes:
            self.changes, self._changes_are_staged = staged, True
            return
        if self._changes_are_staged:
            self.changes, self._changes_are_staged = dict(self.changes), False
        for name, change in staged.items():
            earlier = self.changes.get(name)
            before = change.before if earlier is None else earlier.before
            self.changes[name] = Change(change.kind, change.id, before, change.after, change.stored)

    # ---- one operation

    def _put(self, operation: Put, staged: Changes) -> None:
        kind = kind_of(self._schema, operation.kind)
        check_put(kind, operation)
        change = self._touch(kind, operation, staged)
        self.revision += 1
        if change.after is None:
            self.position = position = next_position(operation, self.position)
        else:
            position = change.after.position
        change.after = Held(position, self.revision, keys_of(kind, operation))
        change.stored = encoded(self._codec, kind, operation)

    def _delete(self, operation: Delete, staged: Changes) -> None:
        kind = kind_of(self._schema, operation.kind)
        check_id(operation.kind, operation.id)
        self._touch(kind, operation, staged).after = None

    def _touch(self, kind: Kind, operation: Put | Delete, staged: Changes) -> Change:
        """Check the operation's preconditions and return the resource's change, entered into `staged`."""
        name = (operation.kind, operation.id)
        # Taken out and entered anew: the order of `staged` is the order of the last operations.
        change = staged.pop(name, None)
        if change is None:
            earlier = self.changes.get(name) if self.changes else None
            held = self._holdings.held(*name) if earlier is None else earlier.after
            change = Change(kind, operation.id, held, held)
        if operation.precondition != "any" or operation.expect is not None:
            check_preconditions(operation, change.after)
        staged[name] = change
        return change

    # ---- the state after the batch

    def _check_condition(self, condition: Vacant | Present, staged: Changes) -> None:
        kind = kind_of(self._schema, condition.kind)
        if isinstance(condition, Vacant):
            self._check_vacant(kind, condition, staged)
            return
        check_id(condition.kind, condition.id)
        change = staged.get((kind.name, condition.id)) or self.changes.get((kind.name, condition.id))
        held = change.after if change else self._holdings.held(kind.name, condition.id)
        if held is None:
            raise Conflict(kind.name, condition.id, None)

    def _check_vacant(self, kind: Kind, vacant: Vacant, staged: Changes) -> None:
        check_key(kind.index(vacant.index).name, vacant.key)
        entry = (vacant.index, vacant.key)
        found = [
            (change.after.position, change.id)
            for change in staged.values()
            if change.kind is kind and change.id != vacant.unless and change.after and entry in change.after.keys
        ]
        for position, holder in self._entries_before_batch(kind.name, vacant.index, vacant.key):
            if holder != vacant.unless and (kind.name, holder) not in staged:
                found.append((position, holder))
                break
        if found:
            raise Conflict(kind.name, vacant.key, min(found)[1], index=vacant.index)

    def _entries_before_batch(self, kind: str, index: str, key: IndexKey) -> Iterator[tuple[int, str]]:
        """Yield (position, id) under a key in the state that the batch met, by position."""
        self._fill_overlay()
        changed = self._overlay.get((kind, index, key), {})
        added = sorted((position, id_) for id_, position in changed.items() if position is not None)
        for position, id_ in self._holdings.entries(kind, index, key):
            while added and added[0][0] < position:
                yield added.pop(0)
            if id_ not in changed:
                yield position, id_
        yield from added

    def _check_unique(self, staged: Changes) -> None:
        """Refuse unique keys held twice. Who held a key before the batch and keeps it stands in the others' way."""
        claims: dict[tuple[str, str, IndexKey], str] = {}
        for change in staged.values():
            if change.after is None:
                continue
            unique, kept = change.kind.unique, change.before.keys if change.before else ()
            for entry in change.after.keys:
                if entry[0] in unique:
                    if entry not in kept:
                        self._check_holder(change, *entry, staged)
                    first = claims.setdefault((change.kind.name, *entry), change.id)
                    if first != change.id:
                        raise Conflict(change.kind.name, entry[1], first, index=entry[0])

    def _check_holder(self, change: Change, index: str, key: IndexKey, staged: Changes) -> None:
        kind = change.kind.name
        holder = self._holder_before_batch(kind, index, key)
        if holder is not None and holder != change.id:
            other = staged.get((kind, holder))
            if other is None or (other.after is not None and (index, key) in other.after.keys):
                raise Conflict(kind, key, holder, index=index)

    def _holder_before_batch(self, kind: str, index: str, key: IndexKey) -> str | None:
        if self.changes:
            self._fill_overlay()
            changed = self._overlay.get((kind, index, key))
            if changed:
                for id_, position in changed.items():
                    if position is not None:
                        return id_
                holder = self._holdings.holder(kind, index, key)
                return None if holder in changed else holder
        return self._holdings.holder(kind, index, key)

    def _fill_overlay(self) -> None:
        """Enter the earlier batches into the overlay; put off until asked for, as single commits never ask."""
        for staged in self._not_in_overlay:
            for change in staged.values():
                if change.before:
                    self._enter_overlay(change, change.before, None)
                if change.after:
                    self._enter_overlay(change, change.after, change.after.position)
        self._not_in_overlay.clear()

    def _enter_overlay(self, change: Change, held: Held, position: int | None) -> None:
        for index, key in held.keys:
            self._overlay.setdefault((change.kind.name, index, key), {})[change.id] = position


def attempt(plan: Plan, batch: Batch) -> int | StoreError:
    """Add a batch to a plan; return the error if the batch is at fault, raise it if the medium is."""
    try:
        return plan.add(batch)
    except StoreUnavailable:
        raise
    except StoreError as error:
        return error
