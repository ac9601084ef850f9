"""Stores that list wrongly."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any

from stores.contract import (
    Record,
)
from stores.memory import MemoryStore

PAGE = 1000
LISTINGS_MAX = 100


class LeaksKindPrefix(MemoryStore):
    """Kind `agent` sees the resources of kind `agent_instance` too."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        found = list(super().scan(kind, **rest))
        if rest.get("index") is None:
            longer = [other for other in self._order if other.startswith(kind) and other != kind]
            found += [record for other in longer for record in super(LeaksKindPrefix, self).scan(other, **rest)]
        return iter(found)


class ListsLiveByPage(MemoryStore):
    """Reads a listing in pages of a thousand, each when it is reached: from the second on what is there by then."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        after, limit = rest.pop("after", 0), rest.pop("limit", None)
        if limit is not None and limit <= PAGE:
            return super().scan(kind, after=after, limit=limit, **rest)
        return self._pages(list(super().scan(kind, after=after, limit=PAGE, **rest)), limit, kind, rest)

    def _pages(self, page: list[Record], limit: int | None, kind: str, rest: dict[str, Any]) -> Iterator[Record]:
        while True:
            for record in page:
                self._check_open()
                yield record
            if len(page) < PAGE:
                return
            limit = None if limit is None else limit - len(page)
            after, most = page[-1].position, PAGE if limit is None else min(limit, PAGE)
            page = list(super().scan(kind, after=after, limit=most, **rest))


class EndsOldestListing(MemoryStore):
    """Has room for a hundred listings under way: the next one ends the oldest, as if it were complete."""

    def __init__(self) -> None:
        super().__init__()
        self._running: deque[object] = deque(maxlen=LISTINGS_MAX)

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        place = object()
        self._running.append(place)
        return takewhile(lambda _: place in self._running, super().scan(kind, **rest))


class CompactCutsListings(MemoryStore):
    """Goes on with a listing, after compacting, at the same place of what is left."""

    def __init__(self) -> None:
        super().__init__()
        self._compacted = 0

    def compact(self) -> None:
        """See `Store`."""
        super().compact()
        self._compacted += 1

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        return self._going_on(list(super().scan(kind, **rest)), self._compacted, kind, rest)

    def _going_on(self, records: list[Record], began: int, kind: str, rest: dict[str, Any]) -> Iterator[Record]:
        for number, record in enumerate(records):
            if self._compacted != began:
                yield from list(super().scan(kind, **rest))[number:]
                return
            self._check_open()
            yield record


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
