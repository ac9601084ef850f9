"""Stores that list wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from stores.contract import (
    Record,
)
from stores.memory import MemoryStore


class LeaksKindPrefix(MemoryStore):
    """Kind `agent` sees the resources of kind `agent_instance` too."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        found = list(super().scan(kind, **rest))
        if rest.get("index") is None:
            longer = [other for other in self._order if other.startswith(kind) and other != kind]
            found += [record for other in longer for record in super(LeaksKindPrefix, self).scan(other, **rest)]
        return iter(found)


class ListsStale(MemoryStore):
    """Answers a listing from a cache that is only filled anew when something is created."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        cache = self.__dict__.setdefault("_cache", {})
        name = (kind, tuple(rest.items()), self._position)
        if name not in cache:
            cache[name] = list(super().scan(kind, **rest))
        self._check_open()
        return iter(cache[name])


class ListsLive(MemoryStore):
    """A listing reads on in whatever the state is by then."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        super().scan(kind, **rest)
        return self._live(kind, rest)

    def _live(self, kind: str, rest: dict[str, Any]) -> Iterator[Record]:
        after, limit = rest.pop("after", 0), rest.pop("limit", None)
        while limit is None or limit > 0:
            record = next(super().scan(kind, after=after, limit=1, **rest), None)
            if record is None:
                return
            yield record
            after, limit = record.position, None if limit is None else limit - 1


class ListsById(MemoryStore):
    """Lists in the order of the ids."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        limit = rest.pop("limit", None)
        return islice(iter(sorted(super().scan(kind, **rest), key=lambda record: record.id)), limit)


class CursorInclusive(MemoryStore):
    """Shows the resource at the cursor again."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        rest["after"] = max(rest.get("after", 0) - 1, 0)
        return super().scan(kind, **rest)


class IgnoresLimit(MemoryStore):
    """Takes limit 0 for no limit."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        rest["limit"] = rest.get("limit") or None
        return super().scan(kind, **rest)
