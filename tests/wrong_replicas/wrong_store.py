"""A store with a sin, around a right one: only the contract's own methods, so that no short way leads past it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import Message

from stores.contract import Batch, Capabilities, IndexKey, Record, SizeOnDisk, Store, StoreError


class WrongStore:
    """The right store behind it, method by method. A sin overrides some."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.lock = threading.RLock()

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def commit(self, batch: Batch) -> int:
        with self.lock:
            return self.inner.commit(batch)

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        return [self._committed(batch) for batch in batches]

    def _committed(self, batch: Batch) -> int | StoreError:
        try:
            return self.commit(batch)
        except StoreError as error:
            return error

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002
        return self.inner.get(kind, id)

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        return self.inner.get_bytes(kind, id)

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        return self.inner.get_record(kind, id)

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        return self.inner.find(kind, index, key)

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        return self.inner.scan(kind, **how)

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        return self.inner.count(kind, index=index, key=key)

    def last_position(self) -> int:
        return self.inner.last_position()

    def size_on_disk(self) -> SizeOnDisk:
        return self.inner.size_on_disk()

    def compact(self) -> None:
        self.inner.compact()

    def close(self) -> None:
        self.inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
