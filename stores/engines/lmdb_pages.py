"""The pages of an LMDB file, looked through before LMDB maps it.

LMDB trusts its file: a page behind the file's end is a SIGBUS, a wrong offset a read at a wrong place, and an older
page in the place of a newer one is taken for it. It has no checksums, so this finds what is out of place: pages that
are missing, that say another number or sort than the one that was looked for, whose entries lie outside them or out of
order, that are reached twice, or are named free while they are used.

The forms are those of `libraries/liblmdb/mdb.c` (0.9): `MDB_page`, `MDB_node`, `MDB_meta`, `MDB_db`; 64-bit, this
machine's byte order.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from stores.contract import StoreDamaged
from stores.files import unreadable

_PAGE = struct.Struct("=QHHHH")
_OVERFLOW = struct.Struct("=QHHI")
_NODE = struct.Struct("=HHHH")
_NUMBER = struct.Struct("=Q")
_META = struct.Struct("=IIQQ48s48sQQ")
_DB = struct.Struct("=IHHQQQQQ")
_MAGIC = 0xBEEFC0DE
_BRANCH, _LEAF, _OVERFLOWN, _IS_META = 1, 2, 4, 8
_BIG = 1
_PAGE_BYTES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
_EMPTY = 0xFFFFFFFFFFFFFFFF
_DEPTH_MAX = 32


class _Tree(NamedTuple):
    depth: int
    entries: int
    root: int


@dataclass
class _Walk:
    """What is known while the pages are looked through."""

    file: mmap.mmap
    page_bytes: int
    pages: int
    """How many pages the file has."""
    used: set[int] = field(default_factory=set)
    entries: int = 0
    last_key: bytes | None = None
    free: list[int] = field(default_factory=list)


class _Wrong(Exception):
    """Says which page is wrong, and how."""


def check_pages(path: Path, *, all_pages: bool) -> None:
    """Raise StoreDamaged unless a file's root pages are there and the file is as long as they say.

    With `all_pages`, all that they lead to is looked through as well: some microseconds for each page. Raises
    StoreUnavailable if it can't be read.
    """
    try:
        with path.open("rb") as opened:
            if not path.stat().st_size:
                raise StoreDamaged(f"the LMDB database {path} is empty")
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as file:
                _check(file, all_pages=all_pages)
    except OSError as error:
        raise unreadable(str(path), error) from error
    except _Wrong as error:
        raise StoreDamaged(f"the LMDB database {path} is damaged: {error}") from error
    except (struct.error, IndexError) as error:
        raise StoreDamaged(f"the LMDB database {path} is cut, or a page leads behind its own end") from error


def _check(file: mmap.mmap, *, all_pages: bool) -> None:
    page_bytes, last_page, free, main = _newest_root(file)
    walk = _Walk(file, page_bytes, len(file) // page_bytes)
    if not all_pages and walk.pages > last_page:
        return
    # A file that is shorter than its root says has lost pages, unless these were never used: so all are looked for.
    _tree(walk, main, is_free=False)
    _tree(walk, free, is_free=True)
    both = walk.used.intersection(walk.free)
    if both:
        raise _Wrong(f"page {min(both)} is used, and named free")


def _newest_root(file: mmap.mmap) -> tuple[int, int, _Tree, _Tree]:
    """Return the page size, the number of the last page, and the two trees of the newer of both root pages."""
    roots = []
    page_bytes = _DB.unpack_from(file, _PAGE.size + 24)[0]
    if page_bytes not in _PAGE_BYTES:
        raise _Wrong("its first page says no page size")
    for number in (0, 1):
        _, _, flags, _, _ = _PAGE.unpack_from(file, number * page_bytes)
        magic, version, _, _, free, main, last_page, transaction = _META.unpack_from(
            file, number * page_bytes + _PAGE.size
        )
        if flags & _IS_META == 0 or magic != _MAGIC or version != 1:
            raise _Wrong(f"root page {number} is none")
        roots.append((transaction, last_page, free, main))
    _, last_page, free, main = max(roots, key=lambda root: root[0])
    return page_bytes, last_page, _tree_of(free), _tree_of(main)


def _tree_of(raw: bytes) -> _Tree:
    _, _, depth, _, _, _, entries, root = _DB.unpack(raw)
    return _Tree(depth, entries, root)


def _tree(walk: _Walk, tree: _Tree, *, is_free: bool) -> None:
    walk.entries, walk.last_key = 0, None
    if tree.root != _EMPTY:
        if tree.depth > _DEPTH_MAX:
            raise _Wrong(f"a tree is {tree.depth} pages deep")
        _descend(walk, tree.root, tree.depth, is_free=is_free)
    if walk.entries != tree.entries:
        raise _Wrong(f"a tree has {walk.entries} entries instead of {tree.entries}")


def _descend(walk: _Walk, number: int, depth: int, *, is_free: bool) -> None:
    place = _enter(walk, number, 1)
    _, _, flags, lower, upper = _PAGE.unpack_from(walk.file, place)
    sort = _LEAF if depth == 1 else _BRANCH
    if flags & 0x0F != sort or not _PAGE.size <= lower <= upper <= walk.page_bytes:
        raise _Wrong(f"page {number} isn't the {'leaf' if depth == 1 else 'branch'} that it should be")
    offsets = struct.unpack_from(f"={(lower - _PAGE.size) // 2}H", walk.file, place + _PAGE.size)
    for offset in offsets:
        if not upper <= offset <= walk.page_bytes - _NODE.size:
            raise _Wrong(f"an entry of page {number} lies outside it")
        low, high, extra, key_bytes = _NODE.unpack_from(walk.file, place + offset)
        key_at = place + offset + _NODE.size
        if offset + _NODE.size + key_bytes > walk.page_bytes:
            raise _Wrong(f"a key of page {number} goes beyond it")
        if sort == _BRANCH:
            _descend(walk, low | high << 16 | extra << 32, depth - 1, is_free=is_free)
        else:
            _leaf_entry(walk, number, key_at, key_bytes, low | high << 16, extra, is_free=is_free)


def _leaf_entry(
    walk: _Walk, number: int, key_at: int, key_bytes: int, value_bytes: int, flags: int, *, is_free: bool
) -> None:
    key = walk.file[key_at : key_at + key_bytes]
    if is_free:
        key = key[::-1]  # a transaction's number, the lowest byte first
    if walk.last_key is not None and key <= walk.last_key:
        raise _Wrong(f"the keys of page {number} are out of order")
    walk.last_key = key
    walk.entries += 1
    value_at = key_at + key_bytes
    if flags & ~_BIG:
        raise _Wrong(f"an entry of page {number} is of a sort that isn't used here")
    if flags & _BIG:
        (first,) = _NUMBER.unpack_from(walk.file, value_at)
        value_at = _overflow(walk, first, value_bytes)
    elif (value_at % walk.page_bytes) + value_bytes > walk.page_bytes:
        raise _Wrong(f"a value of page {number} goes beyond it")
    if is_free:
        count = _NUMBER.unpack_from(walk.file, value_at)[0]
        if (count + 1) * _NUMBER.size > value_bytes:
            raise _Wrong(f"the list of free pages in page {number} is too short")
        walk.free += struct.unpack_from(f"={count}Q", walk.file, value_at + _NUMBER.size)


def _overflow(walk: _Walk, first: int, value_bytes: int) -> int:
    """Enter the pages of a value that has pages of its own; return where it begins."""
    count = (_PAGE.size - 1 + value_bytes) // walk.page_bytes + 1
    place = _enter(walk, first, count)
    _, _, flags, pages = _OVERFLOW.unpack_from(walk.file, place)
    if flags & 0x0F != _OVERFLOWN or pages != count:
        raise _Wrong(f"page {first} doesn't hold the value that it should")
    return place + _PAGE.size


def _enter(walk: _Walk, number: int, count: int) -> int:
    """Return the place of some pages, which must be there, say the right number, and not have been met before."""
    if not 1 < number <= walk.pages - count:
        raise _Wrong(f"page {number} lies behind the end of the file, which has {walk.pages} pages")
    for page in range(number, number + count):
        if page in walk.used:
            raise _Wrong(f"page {page} is used twice")
        walk.used.add(page)
    place = number * walk.page_bytes
    if _NUMBER.unpack_from(walk.file, place)[0] != number:
        raise _Wrong(f"page {number} says that it is another")
    return place
