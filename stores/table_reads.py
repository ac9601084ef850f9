"""What stores over tables read alike: a row a resource, checked and decoded here, however a statement asks for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from google.protobuf.message import Message

from stores.codecs import Codec, Undecodable
from stores.contract import CorruptRecord, IndexKey, InvalidOperation
from stores.format import checksum_of
from stores.gate import Gate
from stores.rules import check_id, check_key
from stores.schema import Schema, kind_of


class TableReads(ABC):
    """The base of a store's reads. The store sets the attributes when it opens its database."""

    _codec: Codec
    _schema: Schema
    _gate: Gate

    @abstractmethod
    def _select(self, kind: str, id: str) -> tuple[Any, ...] | None:  # noqa: A002
        """Return a resource's row, which begins with position, revision, checksum and stored message; None if absent.

        Raises StoreClosed, StoreUnavailable, CorruptRecord.
        """

    def _table(self, kind: str, index: str) -> str:
        return "unique_entries" if index in self._schema[kind].unique else "entries"

    def _resource(self, kind: str, id: str) -> tuple[Any, ...] | None:  # noqa: A002
        """Return a resource's row, its stored message checked, or None. Raises CorruptRecord."""
        kind_of(self._schema, kind)
        check_id(kind, id)
        row = self._select(kind, id)
        if row is not None:
            self.check(kind, id, row[2], row[3])
        return row

    def check(self, kind: str, id: str, checksum: object, stored: object) -> None:  # noqa: A002
        """Raise CorruptRecord unless a stored message is what was written."""
        if not isinstance(stored, bytes) or checksum_of(stored) != checksum:
            raise CorruptRecord(kind, id, "its checksum doesn't match")

    def wire(self, kind: str, id: str, stored: bytes) -> bytes:  # noqa: A002
        """Return the wire bytes of a stored message. Raises CorruptRecord."""
        try:
            return self._codec.wire(self._schema[kind].message_type, stored)
        except Undecodable as error:
            raise CorruptRecord(kind, id, str(error)) from error

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002
        """See `Store`."""
        row = self._resource(kind, id)
        try:
            return None if row is None else self._codec.message(self._schema[kind].message_type, row[3])
        except Undecodable as error:
            raise CorruptRecord(kind, id, str(error)) from error

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """See `Store`."""
        row = self._resource(kind, id)
        return None if row is None else self.wire(kind, id, row[3])

    def _check_scan(self, kind: str, index: str | None, key: IndexKey | None) -> None:
        kind_of(self._schema, kind)
        if index is not None and key is not None:
            self._check_index(kind, index, key)
        elif index is not None or key is not None:
            raise InvalidOperation("an index needs a key, and a key needs an index")

    def _check_index(self, kind: str, index: str, key: IndexKey) -> None:
        check_key(kind_of(self._schema, kind).index(index).name, key)
