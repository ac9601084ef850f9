"""LMDB's file: the tree is walked from its root; what a damaged page hides is found by looking at every page.

Format of LMDB 0.9 on a 64-bit little-endian machine (`mdb.c`). Pages carry no checksums, records do: those are checked.
Every commit writes changed pages anew and leaves the old ones behind, so pages outside the tree hold versions of
before. They are only looked at when the tree is damaged; then the record with the highest revision counts, wherever it
stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stores.keyvalue import layout
from stores.salvage.versions import Area, Damaged, Place, Version, bytes_of

_PAGE = struct.Struct("<QHHHH")
"""Number, room, flags, end of the node offsets, beginning of the nodes."""
_OVERFLOW_PAGES = struct.Struct("<I")
_NODE = struct.Struct("<HHHH")
"""Size or child page (two halves), flags, bytes of the key."""
_META = struct.Struct("<II")
"""Magic number and version."""
_TREE = struct.Struct("<IHHQQQQQ")
_U64 = struct.Struct("<Q")
_U32 = struct.Struct("<I")
_META_AT, _FREE_TREE_AT, _MAIN_TREE_AT, _NUMBERS_AT = 16, 16 + 24, 16 + 24 + 48, 16 + 24 + 96
MAGIC = 0xBEEFC0DE
_BRANCH, _LEAF, _OVERFLOW, _META_FLAG = 1, 2, 4, 8
_BIG = 1
"""Flag of a node whose value stands on pages of its own."""
_NO_PAGE = (1 << 64) - 1
PAGE_BYTES = 4096
"""What a page has unless the first meta page says otherwise."""
PAGE_BYTES_MIN = 512
_PAGE_SIZES = frozenset(1 << bits for bits in range(9, 17))
_DEPTH_MAX = 32


class _Leaf(NamedTuple):
    """A row on a leaf page, and what was read for it."""

    key: bytes
    value: bytes
    places: tuple[Place, ...]


def read_lmdb(folder: Path, areas: list[Area]) -> Iterator[Version]:
    """See `Reader`."""
    file = folder / "data.mdb"
    yield from _Pages(file.name, bytes_of(file, areas), areas).versions()


class _Pages:
    def __init__(self, name: str, data: bytes, areas: list[Area]) -> None:
        self._name = name
        self._areas = areas
        size = _U32.unpack_from(data, _FREE_TREE_AT)[0] if len(data) > PAGE_BYTES_MIN else 0
        self._size = size if size in _PAGE_SIZES else PAGE_BYTES
        self._reached: set[int] = set()
        self._end = len(data)
        """Where the file ends; the page in whose middle that is counts as one."""
        self._data = data.ljust(-(-len(data) // self._size) * self._size, b"\0")

    def versions(self) -> Iterator[Version]:
        """Yield what the tree holds, and if not all of that can be read, what other pages hold."""
        before = len(self._areas)
        root, rows = self._root()
        if root != _NO_PAGE:
            for leaf in self._walk(root, b"", None, 0):
                rows -= 1
                yield Version(leaf.key, _revision(leaf), leaf.value, leaf.places)
        if rows and len(self._areas) == before:
            self._tell(0, f"the tree should have {rows} rows more than it has")
        if len(self._areas) > before:
            yield from self._outside()

    def _outside(self) -> Iterator[Version]:
        """Yield the whole records on pages that the walk didn't reach."""
        for number in range(2, len(self._data) // self._size):
            if number not in self._reached:
                try:
                    if self._header(number)[2] & 0xF == _LEAF:
                        for leaf in self._leaves(number, tell=False):
                            if _is_whole(leaf):
                                yield Version(leaf.key, _revision(leaf), leaf.value, leaf.places)
                except Damaged:
                    continue

    # ---- pages

    def _root(self) -> tuple[int, int]:
        """Return the root page of the newest state, and how many rows it has. Two commits follow each other."""
        found: list[tuple[int, int, int]] = []
        for number in (0, 1):
            page = self._data[number * self._size : (number + 1) * self._size]
            if len(page) < _NUMBERS_AT + 16 or _META.unpack_from(page, _META_AT) != (MAGIC, 1):
                self._tell(number, "the meta page can't be read")
                continue
            *_, rows, root = _TREE.unpack_from(page, _MAIN_TREE_AT)
            (transaction,) = _U64.unpack_from(page, _NUMBERS_AT + 8)
            found.append((transaction, root, rows))
        if len(found) > 1 and found[0][0] and abs(found[0][0] - found[1][0]) != 1:
            self._tell(0, "the meta pages aren't those of two commits in a row")
        return max(found)[1:] if found else (_NO_PAGE, 0)

    def _tell(self, number: int, reason: str) -> None:
        start = number * self._size
        self._areas.append(Area(Place(self._name, start, start + self._size), reason))

    def _header(self, number: int) -> tuple[int, int, int, int, int]:
        start = number * self._size
        if start < 0 or start + self._size > len(self._data):
            raise Damaged("the page is behind the end of the file")
        header = _PAGE.unpack_from(self._data, start)
        if header[0] != number:
            raise Damaged(f"the page says that it is page {header[0]}")
        return header

    def _walk(self, number: int, low: bytes, high: bytes | None, depth: int) -> Iterator[_Leaf]:
        """Yield the rows under a page, whose keys are from `low` up to `high`."""
        try:
            leaves, children = self._tree_page(number, low, high, depth)
        except Damaged as damage:
            self._tell(number, str(damage))
            return
        self._reached.add(number)
        yield from leaves
        for place, (child, key) in enumerate(children):
            stop = children[place + 1][1] if place + 1 < len(children) else high
            yield from self._walk(child, key if place else low, stop, depth + 1)

    def _tree_page(
        self, number: int, low: bytes, high: bytes | None, depth: int
    ) -> tuple[list[_Leaf], list[tuple[int, bytes]]]:
        """Return a page's rows, or its children and the lowest key of each. Raises Damaged."""
        if depth > _DEPTH_MAX or number in self._reached:
            raise Damaged("the tree runs in circles")
        kind = self._header(number)[2] & 0xF
        if kind == _BRANCH:
            return [], [(self._child(at), self._key(at)) for at in self._nodes(number)]
        if kind != _LEAF:
            raise Damaged("it is no page of the tree")
        leaves = list(self._leaves(number, tell=True))
        if any(leaf.key < low or (high is not None and leaf.key >= high) for leaf in leaves):
            raise Damaged("its keys don't belong here")
        return leaves, []

    # ---- nodes

    def _nodes(self, number: int) -> list[int]:
        """Return where the nodes of a page stand. Raises Damaged."""
        _, _, _, lower, upper = self._header(number)
        if not _PAGE.size <= lower <= upper <= self._size:
            raise Damaged("its header is wrong")
        start = number * self._size
        offsets = struct.unpack_from(f"<{(lower - _PAGE.size) // 2}H", self._data, start + _PAGE.size)
        if any(not upper <= offset <= self._size - _NODE.size for offset in offsets):
            raise Damaged("an offset of a node is wrong")
        return [start + offset for offset in offsets]

    def _child(self, at: int) -> int:
        low, high, flags, _ = _NODE.unpack_from(self._data, at)
        return int(low | high << 16 | flags << 32)

    def _key(self, at: int) -> bytes:
        size = _NODE.unpack_from(self._data, at)[3]
        return self._data[at + _NODE.size : at + _NODE.size + size]

    def _leaves(self, number: int, *, tell: bool) -> Iterator[_Leaf]:
        """Yield the rows of a leaf page; one whose value can't be reached is told as an area. Raises Damaged."""
        start = number * self._size
        head = Place(self._name, start, start + self._header(number)[3])
        for at in self._nodes(number):
            try:
                yield self._leaf(at, start + self._size, head)
            except Damaged as damage:
                if tell:
                    self._tell(number, f"key {self._key(at)[:60]!r}: {damage}")

    def _leaf(self, at: int, page_end: int, head: Place) -> _Leaf:
        """Return the row of a node. Raises Damaged."""
        low, high, flags, key_bytes = _NODE.unpack_from(self._data, at)
        size, value_at = low | high << 16, at + _NODE.size + key_bytes
        if value_at > self._end:
            raise Damaged("the file ends before it")
        if flags & _BIG:
            value, place = self._overflow(value_at, size)
            return _Leaf(self._key(at), value, (head, Place(self._name, at, value_at + _U64.size), place))
        end = value_at + size
        if flags or end > min(page_end, self._end):
            raise Damaged("its flags or its size are wrong")
        return _Leaf(self._key(at), self._data[value_at:end], (head, Place(self._name, at, end)))

    def _overflow(self, at: int, size: int) -> tuple[bytes, Place]:
        if at + _U64.size > self._end:
            raise Damaged("its value's page isn't named")
        (number,) = _U64.unpack_from(self._data, at)
        header = self._header(number)
        start = number * self._size
        (pages,) = _OVERFLOW_PAGES.unpack_from(self._data, start + 12)
        end = start + _PAGE.size + size
        if not header[2] & _OVERFLOW or size > pages * self._size - _PAGE.size or end > self._end:
            raise Damaged("its value's pages are wrong")
        return self._data[start + _PAGE.size : end], Place(self._name, start, end)


def _is_whole(leaf: _Leaf) -> bool:
    """Say whether a row is a record whose checksum is there and right."""
    if not leaf.key.startswith(b"r") or leaf.value[4:8] == bytes(4):
        return False
    try:
        layout.message_of(leaf.value)
    except layout.Damaged:
        return False
    return True


def _revision(leaf: _Leaf) -> int:
    """Return the revision of a record; rows of another sort have none."""
    if not leaf.key.startswith(b"r"):
        return 0
    return layout.numbers_of(leaf.value)[1] if len(leaf.value) >= layout.RECORD_HEADER_BYTES else 0
