"""What of records and outcomes two stores must agree in, and batches in words."""

from __future__ import annotations

from stores.canonical import canonical_bytes
from stores.contract import Batch, BatchOperation, Conflict, Delete, Put, Record, StoreError, Vacant
from stores.schema import KINDS


def seen(record: Record) -> tuple[str, int, int, bytes | None]:
    """What of a record must agree."""
    return (record.id, record.position, record.revision, canonical(record.kind, record.data))


def canonical(kind: str, data: bytes | None) -> bytes | None:
    """Return wire bytes in their canonical order, or None."""
    return None if data is None else canonical_bytes(KINDS[kind].message_type.FromString(data))


def told(outcome: object) -> object:
    """What of an outcome must agree: numbers, and of errors the class and what they name."""
    if isinstance(outcome, Conflict):
        return (type(outcome).__name__, outcome.kind, outcome.key, outcome.holder_id, outcome.index)
    return type(outcome).__name__ if isinstance(outcome, StoreError) else outcome


def shown_batch(batch: Batch) -> str:
    """Return a batch in words: each operation with its operands, as ASCII."""
    return "[" + ", ".join(map(_shown_operation, batch)) + "]"


def _shown_operation(operation: BatchOperation) -> str:
    if isinstance(operation, Put):
        entries = KINDS[operation.kind].entries(operation.message) if operation.message is not None else operation.keys
        keys = " ".join(f"{index}={'/'.join(key)!a}" for index, key in entries or ())
        form = "" if operation.message is not None else " as bytes"
        return " ".join(filter(None, (f"put {operation.kind} {operation.id!a}{form}", _condition(operation), keys)))
    if isinstance(operation, Delete):
        return " ".join(filter(None, (f"delete {operation.kind} {operation.id!a}", _condition(operation))))
    if isinstance(operation, Vacant):
        unless = "" if operation.unless is None else f" unless {operation.unless!a}"
        return f"vacant {operation.kind} {operation.index}={'/'.join(operation.key)!a}{unless}"
    return f"present {operation.kind} {operation.id!a}"


def _condition(operation: Put | Delete) -> str:
    when = "" if operation.precondition == "any" else operation.precondition
    return when if operation.expect is None else f"{when} expect {operation.expect}".strip()
