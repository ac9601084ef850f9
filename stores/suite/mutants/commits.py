"""Stores that take what they should refuse, or write half of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stores.contract import (
    Batch,
    Delete,
    Present,
    Put,
    RevisionConflict,
    StoreError,
    Vacant,
)
from stores.memory import MemoryStore

PART = 8192


class LosesUpdate(MemoryStore):
    """Ignores `expect`: the later of two writers wins."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op._replace(expect=None) if isinstance(op, Put | Delete) else op for op in batch])


class ExpectsTooEarly(MemoryStore):
    """Compares `expect` with what was there before the batch, whatever the batch has written since."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        for each in batch:
            if isinstance(each, Put | Delete) and each.expect is not None:
                record = self.get_record(each.kind, each.id)
                if record is None or record.revision != each.expect:
                    raise RevisionConflict(each.kind, each.id, each.id if record else None)
        return super().commit([op._replace(expect=None) if isinstance(op, Put | Delete) else op for op in batch])


class OverwritesOnCreate(MemoryStore):
    """Takes `absent` for `any`."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([_lenient(op, "absent") for op in batch])


class CreatesOnUpdate(MemoryStore):
    """Takes `present` for `any`."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([_lenient(op, "present") for op in batch])


class IgnoresVacant(MemoryStore):
    """Doesn't look whether a key is vacant."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op for op in batch if not isinstance(op, Vacant)])


class IgnoresPresent(MemoryStore):
    """Doesn't look whether a resource is present."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        return super().commit([op for op in batch if not isinstance(op, Present)])


def _lenient(operation: Any, ignored: str) -> Any:  # noqa: ANN401 - any operation
    if isinstance(operation, Put | Delete) and operation.precondition == ignored:
        return operation._replace(precondition="any")
    return operation


class TearsBatch(MemoryStore):
    """Applies a batch one operation after the other, and stops at the first that fails."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        conditions = [op for op in batch if isinstance(op, Vacant | Present)]
        created = [super(TearsBatch, self).commit([op]) for op in batch if not isinstance(op, Vacant | Present)]
        super().commit(conditions)
        return max(created, default=0)


class PartsVeryLarge(MemoryStore):
    """Commits a batch of more than 8,192 operations part by part."""

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        parts = [batch[start : start + PART] for start in range(0, len(batch), PART)]
        return max((super(PartsVeryLarge, self).commit(part) for part in parts), default=super().commit([]))


class GroupFailsTogether(MemoryStore):
    """One failing batch of a group fails all."""

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        try:
            self.commit([op for batch in batches for op in batch])
        except StoreError as error:
            return [error for _ in batches]
        return super().commit_many([[] for _ in batches])


class GroupSkipsAfterFailure(MemoryStore):
    """Acknowledges the batches behind a failing one without writing them."""

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """See `Store`."""
        outcomes: list[int | StoreError] = []
        failed = False
        for batch in batches:
            outcome = 0 if failed else super().commit_many([batch])[0]
            failed = failed or isinstance(outcome, StoreError)
            outcomes.append(outcome)
        return outcomes
