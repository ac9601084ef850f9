"""The original interface's names over the contract: save, get, list and delete resources by kind."""

from __future__ import annotations

from google.protobuf.message import Message

from stores.contract import Delete, Put, Store

_DELETE_AT_ONCE = 500
"""Resources in one batch of a mass delete: large enough to share an fsync, small enough for memory."""


class ResourceStore:
    """Named sugar over a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save_resource(self, kind: str, id: str, message: Message) -> None:  # noqa: A002 - the field's name on the wire
        """Write a resource, new or not. Raises what `Store.commit` raises."""
        self._store.commit([Put(kind, id, message)])

    def get_resource(self, kind: str, id: str) -> Message | None:  # noqa: A002
        """Return a resource, or None."""
        return self._store.get(kind, id)

    def list_resources(self, kind: str) -> list[bytes]:
        """Return the wire bytes of all resources of a kind in the order of creation."""
        return [record.data for record in self._store.scan(kind)]

    def list_resources_by_org(self, kind: str, org: str) -> list[bytes]:
        """Return the wire bytes of an organization's resources of a kind in the order of creation."""
        return [record.data for record in self._store.scan(kind, index="org", key=(org,))]

    def delete_resource(self, kind: str, id: str) -> None:  # noqa: A002
        """Remove a resource; a missing one is no error."""
        self._store.commit([Delete(kind, id)])

    def delete_resources_by_kind(self, kind: str) -> int:
        """Remove all resources of a kind, in batches; return how many there were. Not atomic as a whole."""
        removed = 0
        while True:
            ids = [record.id for record in self._store.scan(kind, limit=_DELETE_AT_ONCE)]
            if not ids:
                return removed
            self._store.commit([Delete(kind, id_) for id_ in ids])
            removed += len(ids)

    def close(self) -> None:
        """Close the store."""
        self._store.close()
