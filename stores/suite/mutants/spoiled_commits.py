"""Wrong stores of operators: conditions that are ignored, operations that are lost, refusals that leave something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stores.contract import (
    POSITION_MAX,
    Batch,
    BatchOperation,
    Conflict,
    Delete,
    IndexKey,
    Present,
    Put,
    StoreError,
    Vacant,
)
from stores.memory import Draft
from stores.suite.mutants.kept import RARE, Kept, Made, place_of


class _Changing(Kept):
    """Changes a batch before it commits it."""

    change: Callable[[BatchOperation], BatchOperation | None]

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        changed = (self.change(operation) for operation in batch)
        return super().commit([operation for operation in changed if operation is not None])


def _changing(change: Callable[[BatchOperation], BatchOperation | None]) -> Made:
    store = _Changing()
    store.change = change
    return store


def precondition_ignored(kind: str, detail: str) -> Made:
    """Take no notice of one condition of the puts or deletes of a kind."""
    verb, _, what = detail.partition("-")
    of = Put if verb == "put" else Delete

    def change(operation: BatchOperation) -> BatchOperation:
        if not isinstance(operation, of) or operation.kind != kind:
            return operation
        if what == "expect":
            return operation._replace(expect=None)
        return operation._replace(precondition="any") if operation.precondition == what else operation

    return _changing(change)


def condition_of_last_only(kind: str, what: str) -> Made:
    """Look only at the last of a batch's puts and deletes of a kind that have a condition of one sort, or Present."""

    def has(one: BatchOperation) -> bool:
        if what == "there":
            return isinstance(one, Present) and one.kind == kind
        if not isinstance(one, Put | Delete) or one.kind != kind:
            return False
        return one.expect is not None if what == "expect" else one.precondition == what

    return _looking_at_last(has, what)


def vacant_of_last_only(where: str, _: str) -> Made:
    """Look only at the last of a batch's Vacants of an index."""
    place = place_of(where)
    return _looking_at_last(lambda one: isinstance(one, Vacant) and (one.kind, one.index) == place, "")


def _looking_at_last(has: Callable[[BatchOperation], bool], what: str) -> Made:
    class Looks(Kept):
        def commit(self, batch: Batch) -> int:
            """See `Store`."""
            last = max((number for number, one in enumerate(batch) if has(one)), default=0)
            eased = (_eased(one, what) if has(one) and n < last else one for n, one in enumerate(batch))
            return super().commit([one for one in eased if one is not None])

    return Looks()


def _eased(one: BatchOperation, what: str) -> BatchOperation | None:
    if not isinstance(one, Put | Delete):
        return None
    return one._replace(expect=None) if what == "expect" else one._replace(precondition="any")


def expect_of_before(kind: str, _: str) -> Made:
    """Compare `expect` with the revision before the batch, also where the batch has changed the resource since."""

    class Compares(Kept):
        def _draft(self, batch: Batch) -> Draft:
            return super()._draft([self._judged(one, batch[:number]) for number, one in enumerate(batch)])

        def _judged(self, one: BatchOperation, earlier: Batch) -> BatchOperation:
            if not isinstance(one, Put | Delete) or one.kind != kind or one.expect is None:
                return one
            before = self._kept.get((kind, one.id))
            was_met = before is not None and before.record.revision == one.expect
            touched = any(isinstance(other, Put | Delete) and other[:2] == one[:2] for other in earlier)
            return one._replace(expect=None) if touched and was_met else one

    return Compares()


def claims_left(where: str, _: str) -> Made:
    """Keep the unique keys of a batch that is refused taken for the rest of its group."""
    kind, index = place_of(where)

    class Claims(Kept):
        def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
            """See `Store`."""
            left: dict[IndexKey, str] = {}
            return [self._outcome(batch, left) for batch in batches]

        def _outcome(self, batch: Batch, left: dict[IndexKey, str]) -> int | StoreError:
            puts = [one for one in batch if isinstance(one, Put) and one.kind == kind and one.message is not None]
            entries = [(*entry, put.id) for put in puts for entry in self._schema[kind].entries(put.message)]
            claimed = {key: id_ for name, key, id_ in entries if name == index}
            for key, id_ in claimed.items():
                if left.get(key, id_) != id_:
                    return Conflict(kind, key, left[key], index=index)
            (outcome,) = super().commit_many([batch])
            if isinstance(outcome, StoreError):
                left.update(claimed)
            return outcome

    return Claims()


def position_of_before(kind: str, _: str) -> Made:
    """Compare a given position with the last one before the batch, not with those of the batch itself."""

    class Compares(Kept):
        def commit(self, batch: Batch) -> int:
            """See `Store`."""
            self.__dict__["before"] = self._position
            return super().commit(batch)

        def _written(self, put: Put, now: Any) -> Any:  # noqa: ANN401 - the memory store's own records
            given, last = put.position, self._position
            if put.kind != kind or now is not None or given is None or not self.__dict__["before"] < given < last:
                return super()._written(put, now)
            self._position = given - 1
            kept = super()._written(put, now)
            self._position = last
            return kept

    return Compares()


def vacant_of_first_only(where: str, _: str) -> Made:
    """Be content with a Vacant of an index if the first that stands under the key may."""
    place = place_of(where)

    class Looks(Kept):
        def commit(self, batch: Batch) -> int:
            """See `Store`."""
            return super().commit([one for one in batch if not self._is_fine(one)])

        def _is_fine(self, one: BatchOperation) -> bool:
            if not isinstance(one, Vacant) or (one.kind, one.index) != place or one.unless is None:
                return False
            return self.find(one.kind, one.index, one.key) == one.unless

    return Looks()


def position_eased(kind: str, _: str) -> Made:
    """Number a resource of a kind as if no position were given, where the given one can't be."""
    store = _Changing()

    def change(one: BatchOperation) -> BatchOperation:
        if not isinstance(one, Put) or one.kind != kind or one.position is None:
            return one
        return one if one.position > store.last_position() else one._replace(position=None)

    store.change = change
    return store


def position_cut(kind: str, _: str) -> Made:
    """Take the highest position that may be for one that is beyond it."""

    def change(one: BatchOperation) -> BatchOperation:
        is_beyond = isinstance(one, Put) and one.kind == kind and (one.position or 0) > POSITION_MAX
        return one._replace(position=POSITION_MAX) if isinstance(one, Put) and is_beyond else one

    return _changing(change)


def vacant_ignored(where: str, _: str) -> Made:
    """Take no notice of Vacant of an index."""
    place = place_of(where)
    return _changing(lambda one: None if isinstance(one, Vacant) and (one.kind, one.index) == place else one)


def present_ignored(kind: str, _: str) -> Made:
    """Take no notice of Present of a kind."""
    return _changing(lambda one: None if isinstance(one, Present) and one.kind == kind else one)


def rarely_lost(kind: str, detail: str) -> Made:
    """Acknowledge one of 50 creates, updates or deletes of a kind without doing it."""
    store = _Changing()
    seen: list[object] = []

    def change(operation: BatchOperation) -> BatchOperation | None:
        if operation.kind != kind or not isinstance(operation, Put | Delete):
            return operation
        was_there = (kind, operation.id) in store._kept  # noqa: SLF001 - a store of our own
        does = "delete" if isinstance(operation, Delete) else "update" if was_there else "create"
        if does != detail:
            return operation
        seen.append(operation)
        return None if len(seen) % RARE == RARE // 2 else operation

    store.change = change
    return store


def refused_leaves(kind: str, detail: str) -> Made:
    """Leave the first put or delete of a kind in a batch that is refused."""

    class Leaves(Kept):
        def commit(self, batch: Batch) -> int:
            """See `Store`."""
            try:
                return super().commit(batch)
            except Conflict:
                if detail == "commit" or self.__dict__.get("in_group"):
                    self._leave(batch)
                raise

        def _leave(self, batch: Batch) -> None:
            for operation in batch[:-1]:
                if isinstance(operation, Put | Delete) and operation.kind == kind:
                    super().commit([operation])
                    return

        def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
            """See `Store`."""
            self.__dict__["in_group"] = detail == "commit_many"
            try:
                return super().commit_many(batches)
            finally:
                self.__dict__["in_group"] = False

    return Leaves()
