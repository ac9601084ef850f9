"""Wrong stores of operators: pages, cursors, snapshots and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stores.contract import IndexKey, Record
from stores.memory import MemoryStore
from stores.suite.mutants.kept import Kept, Made, place_of


class _Listing(Kept):
    """Changes the listings of a kind or an index."""

    place: tuple[str, str]
    spoil: Callable[[Callable[..., Iterator[Record]], int, int | None], Iterator[Record]]

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        if (kind, rest.get("index") or "") != self.place:
            return super().scan(kind, **rest)
        after, limit = rest.pop("after", 0), rest.pop("limit", None)
        return self.spoil(
            lambda after, limit: MemoryStore.scan(self, kind, after=after, limit=limit, **rest), after, limit
        )


def _listing(where: str, spoil: Callable[[Callable[..., Iterator[Record]], int, int | None], Iterator[Record]]) -> Made:
    store = _Listing()
    store.place, store.spoil = place_of(where), spoil
    return store


def page_first_skipped(where: str, size: str) -> Made:
    """Leave out the first of a page of one size."""
    return _listing(where, lambda scan, after, limit: _skipped(scan(after, limit), 1 if limit == int(size) else 0))


def _skipped(records: Iterator[Record], number: int) -> Iterator[Record]:
    return iter(list(records)[number:])


def page_one_more(where: str, size: str) -> Made:
    """Show one more on a page of one size."""
    return _listing(where, lambda scan, after, limit: scan(after, limit + 1 if limit == int(size) else limit))


def listing_ends_after(where: str, number: str) -> Made:
    """End a listing after some resources."""
    most = int(number)
    return _listing(where, lambda scan, after, limit: scan(after, most if limit is None else min(limit, most)))


def cursor_repeats(where: str, _: str) -> Made:
    """Show the resource at the cursor again."""
    return _listing(where, lambda scan, after, limit: scan(max(after - 1, 0), limit))


def cursor_skips(where: str, _: str) -> Made:
    """Leave out the first resource after a cursor."""
    return _listing(where, lambda scan, after, limit: scan(after + 1 if after else 0, limit))


def cursor_cut(where: str, bits: str) -> Made:
    """Keep the lower bits of a cursor only."""
    mask = (1 << int(bits)) - 1
    return _listing(where, lambda scan, after, limit: scan(after & mask, limit))


def snapshot_live(where: str, number: str) -> Made:
    """Read what is there by then, once some resources of a listing were read."""

    def live(scan: Callable[..., Iterator[Record]], after: int, limit: int | None) -> Iterator[Record]:
        first = list(scan(after, int(number) if limit is None else min(limit, int(number))))
        return _going_on(scan, first, after, limit)

    return _listing(where, live)


def _going_on(
    scan: Callable[..., Iterator[Record]], first: list[Record], after: int, limit: int | None
) -> Iterator[Record]:
    for record in first:
        yield record
        after = record.position
    yield from scan(after, None if limit is None else limit - len(first))


class _Counting(Kept):
    """Changes the counts of a kind or an index."""

    place: tuple[str, str]
    spoil: Callable[[int, object], int]

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`."""
        number = super().count(kind, index=index, key=key)
        return self.spoil(number, key) if (kind, index or "") == self.place else number


def _counting(where: str, spoil: Callable[[int, object], int]) -> Made:
    store = _Counting()
    store.place, store.spoil = place_of(where), spoil
    return store


def count_capped(where: str, number: str) -> Made:
    """Count to a number, and no further."""
    return _counting(where, lambda count, _: min(count, int(number)))


def count_never_falls(where: str, _: str) -> Made:
    """Answer the highest number that there ever was."""
    highest: dict[object, int] = {}

    def spoil(count: int, key: object) -> int:
        highest[key] = max(count, highest.get(key, 0))
        return highest[key]

    return _counting(where, spoil)
