"""The pages of an SQLite file and its write-ahead log, and the rows on them, without SQLite.

https://www.sqlite.org/fileformat2.html. Every page that isn't free is looked at, whether or not the tree leads to it:
what a damaged page would hide is found all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from stores.salvage.versions import Area, Damaged, Place

HEADER_BYTES = 100
_WAL_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
PAGE_BYTES = 4096
"""What the page size is unless the header says otherwise."""
_PAGE_SIZES = frozenset(1 << bits for bits in range(9, 17))
_U16, _U32 = struct.Struct(">H"), struct.Struct(">I")
_FRAME = struct.Struct(">IIIIII")
_WAL_MAGIC = 0x377F0682
"""The lowest bit says whether the checksums are over big-endian words."""
TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_FREE_TRUNK_AT = 32
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""How long an integer of a serial type is; 0 is NULL, 8 and 9 are the numbers 0 and 1, and 7 is a float."""
_REAL, _BLOB, _TEXT = 7, 12, 13
_COLUMNS_MAX = 100

Value = int | bytes | str | None


class Row(NamedTuple):
    """A row of a table, or of an index (without number): its columns, and all bytes that were read for it."""

    number: int
    values: tuple[Value, ...]
    places: tuple[Place, ...]


class Page(NamedTuple):
    """A page and where it stands."""

    number: int
    data: bytes
    place: Place


class Image:
    """The newest committed state of a database, as far as its pages can be told, and pages that may be of any state."""

    def __init__(self, name: str, data: bytes, wal_name: str, wal: bytes, areas: list[Area]) -> None:
        """Take the bytes of the file and of its log."""
        self._areas = areas
        self.page_bytes = _page_bytes(data, wal)
        self._reserved = data[20] if len(data) >= HEADER_BYTES and data[20] < 64 else 0  # noqa: PLR2004 - seldom any
        self.pages: dict[int, Page] = {}
        """By number, the newest."""
        self.loose: list[Page] = []
        """Pages of the log whose checksum doesn't fit, that are cut short, or whose commit may be."""
        for start in range(0, len(data), self.page_bytes):
            page = data[start : start + self.page_bytes]
            number = start // self.page_bytes + 1
            place = Place(name, start, start + len(page))
            if len(page) < self.page_bytes:
                areas.append(Area(place, "the file ends in the middle of a page"))
                page = page.ljust(self.page_bytes, b"\0")
            self.pages[number] = Page(number, page, place)
        self._replay(wal_name, wal)
        size = self._size_in_header()
        if size and size > max(self.pages, default=0):
            end = Place(name, len(data), len(data))
            areas.append(Area(end, f"the file ends before page {size}, which its header says it has"))

    def _size_in_header(self) -> int:
        first = self.pages.get(1)
        if first is None or not first.data.startswith(b"SQLite format 3\0"):
            self._areas.append(Area(Place("page 1", 0, HEADER_BYTES), "the header can't be read"))
            return 0
        changes, size, valid_for = (_U32.unpack_from(first.data, at)[0] for at in (24, 28, 92))
        return int(size) if changes == valid_for else 0

    # ---- the log

    def _replay(self, name: str, wal: bytes) -> None:
        """Put the pages of committed frames over those of the file. A damaged frame costs its own page only."""
        if len(wal) < _WAL_HEADER_BYTES:
            return
        frames = list(self._frames(name, wal))
        last = max((place for place, frame in enumerate(frames) if frame[1]), default=-1)
        damaged = [place for place, frame in enumerate(frames) if not frame[2]]
        if damaged and damaged[-1] > last:
            last = len(frames) - 1  # what committed the rest may be what is damaged
        for page, _, is_right in frames[: last + 1]:
            if is_right:
                self.pages[page.number] = page
            else:
                self._areas.append(Area(page.place, "a frame of the log whose checksum doesn't fit"))
                self.loose.append(page)
        if self.loose:  # the frame that committed these may be the one that is cut short
            self.loose += (page for page, _, _ in frames[last + 1 :])

    def _frames(self, name: str, wal: bytes) -> Iterator[tuple[Page, bool, bool]]:
        """Yield the frames of the log's run: page, whether it ends a commit, and whether its checksum fits.

        A frame's checksum begins with that of the frame before; so each is judged by what stands there.
        """
        magic, *_, salt1, salt2, before1, before2 = struct.unpack_from(">8I", wal)
        if magic & ~1 != _WAL_MAGIC:
            self._areas.append(Area(Place(name, 0, _WAL_HEADER_BYTES), "the log's header can't be read"))
            magic, (salt1, salt2) = _WAL_MAGIC, struct.unpack_from(">II", wal, _WAL_HEADER_BYTES + 8)
        order = ">" if magic & 1 else "<"
        size = _FRAME_HEADER_BYTES + self.page_bytes
        whole = (len(wal) - _WAL_HEADER_BYTES) // size
        salts = [_FRAME.unpack_from(wal, _WAL_HEADER_BYTES + place * size)[2:4] for place in range(whole)]
        count = max((place + 1 for place, pair in enumerate(salts) if pair == (salt1, salt2)), default=0)
        for place in range(count):
            start = _WAL_HEADER_BYTES + place * size
            number, commit, _, _, one, two = _FRAME.unpack_from(wal, start)
            data = wal[start + _FRAME_HEADER_BYTES : start + size]
            is_right = salts[place] == (salt1, salt2) and (one, two) == _checksum(
                order, wal[start : start + 8] + data, before1, before2
            )
            yield Page(number, data, Place(name, start, start + size)), bool(commit), is_right
            before1, before2 = one, two
        if whole > count or (len(wal) - _WAL_HEADER_BYTES) % size:
            rest = _WAL_HEADER_BYTES + count * size
            if any(wal[rest : rest + size]) and not self._is_older(wal, rest, salt1):
                self._areas.append(Area(Place(name, rest, len(wal)), "the log ends in the middle of a frame"))
                frame = wal[rest:].ljust(size, b"\0")[:size]
                number = _U32.unpack_from(frame)[0]
                self.loose.append(Page(number, frame[_FRAME_HEADER_BYTES:], Place(name, rest, rest + size)))

    @staticmethod
    def _is_older(wal: bytes, at: int, salt1: int) -> bool:
        """Say whether a frame is left over from before the log was begun anew: each time adds 1 to the first salt."""
        return len(wal) >= at + _FRAME_HEADER_BYTES and _FRAME.unpack_from(wal, at)[2] != salt1

    # ---- rows

    def free(self) -> set[int]:
        """Return the numbers of free pages, as far as the list of them can be read."""
        free: set[int] = set()
        first = self.pages.get(1)
        trunk = _U32.unpack_from(first.data, _FREE_TRUNK_AT)[0] if first else 0
        while trunk in self.pages and trunk not in free:
            free.add(trunk)
            data = self.pages[trunk].data
            following, count = _U32.unpack_from(data)[0], _U32.unpack_from(data, 4)[0]
            if count > len(data) // 4 - 2:
                break
            free.update(struct.unpack_from(f">{count}I", data, 8))
            trunk = following
        return free

    def rows(self, page: Page) -> Iterator[Row | Area]:
        """Yield the rows on a page, if it is a leaf of a table or a page of an index; areas where one can't be read."""
        at = HEADER_BYTES if page.number == 1 else 0
        kind = page.data[at]
        if kind not in {TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR}:
            return
        (count,) = _U16.unpack_from(page.data, at + 3)
        first = at + (12 if kind == INDEX_INTERIOR else 8)
        head_end = first + 2 * count
        if head_end > self.page_bytes:
            yield Area(page.place, "the page's header is wrong")
            return
        head = _part(page, 0, head_end)
        for (cell,) in struct.iter_unpack(">H", page.data[first:head_end]):
            try:
                yield self._row(page, kind, cell, head)
            except (Damaged, struct.error, IndexError) as damage:
                yield Area(page.place, f"the row at byte {cell}: {damage}")

    def _row(self, page: Page, kind: int, at: int, head: Place) -> Row:
        start, number = at, 0
        if kind == INDEX_INTERIOR:
            at += 4
        size, at = _varint(page.data, at)
        if kind == TABLE_LEAF:
            number, at = _varint(page.data, at)
        usable = self.page_bytes - self._reserved
        local = _local_bytes(size, usable, is_table=kind == TABLE_LEAF)
        if at + local > self.page_bytes:
            raise Damaged("it ends behind the page")
        payload, places = page.data[at : at + local], [head, _part(page, start, at + local)]
        if local < size:
            (following,) = _U32.unpack_from(page.data, at + local)
            places[1] = _part(page, start, at + local + 4)
            payload = self._overflow(payload, size, following, usable, places)
        return Row(number, tuple(_values(payload)), tuple(places))

    def _overflow(self, payload: bytes, size: int, number: int, usable: int, places: list[Place]) -> bytes:
        parts, missing, seen = [payload], size - len(payload), set()
        while missing > 0:
            page = self.pages.get(number)
            if page is None or number in seen:
                raise Damaged("its overflow pages don't follow each other")
            seen.add(number)
            taken = page.data[4 : min(usable, 4 + missing)]
            places.append(_part(page, 0, 4 + len(taken)))
            parts.append(taken)
            missing -= len(taken)
            (number,) = _U32.unpack_from(page.data)
        return b"".join(parts)


def _part(page: Page, start: int, end: int) -> Place:
    """Return the place of a part of a page; in the log, its frame's header belongs to it."""
    body = page.place.end - len(page.data)
    before = body - page.place.start
    return Place(
        page.place.file, body + start if not before else page.place.start, body + end if not before else page.place.end
    )


def _page_bytes(data: bytes, wal: bytes) -> int:
    sizes = []
    if len(data) >= HEADER_BYTES:
        (size,) = _U16.unpack_from(data, 16)
        sizes.append(65536 if size == 1 else size)
    if len(wal) >= _WAL_HEADER_BYTES:
        sizes.append(_U32.unpack_from(wal, 8)[0])
    return next((size for size in sizes if size in _PAGE_SIZES), PAGE_BYTES)


def _checksum(order: str, data: bytes, one: int, two: int) -> tuple[int, int]:
    """Return the checksum of a frame, begun with that of the frame before."""
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for place in range(0, len(words), 2):
        one = (one + words[place] + two) & 0xFFFFFFFF
        two = (two + words[place + 1] + one) & 0xFFFFFFFF
    return one, two


def _local_bytes(size: int, usable: int, *, is_table: bool) -> int:
    """Return how much of a row stands on its page."""
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    kept = least + (size - least) % (usable - 4)
    return kept if kept <= most else least


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number as SQLite writes it, highest bits first, and where it ends."""
    number = 0
    for place in range(at, at + 8):
        byte = data[place]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return number, place + 1
    return number << 8 | data[at + 8], at + 9


def _values(payload: bytes) -> Iterator[Value]:
    """Yield the columns of a row. Raises Damaged."""
    header_end, at = _varint(payload, 0)
    types: list[int] = []
    while at < header_end:
        type_, at = _varint(payload, at)
        types.append(type_)
    if at != header_end or len(types) > _COLUMNS_MAX:
        raise Damaged("its columns can't be told apart")
    for type_ in types:
        size = _INTEGER_BYTES.get(type_, 8 if type_ == _REAL else max((type_ - _BLOB) // 2, 0))
        raw = payload[at : at + size]
        if len(raw) < size:
            raise Damaged("a column ends behind its row")
        at += size
        yield _value(type_, raw)


def _value(type_: int, raw: bytes) -> Value:
    if type_ in _INTEGER_BYTES:
        return int.from_bytes(raw, signed=True)
    if type_ in {8, 9}:
        return type_ - 8
    if type_ < _BLOB:
        return None
    return raw if type_ % 2 == 0 else raw.decode(errors="surrogateescape")
