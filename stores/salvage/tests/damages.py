"""Random damage to a database's files, and what of it is still whole afterwards."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from stores.codecs import codec_of
from stores.integrity.check import own_id
from stores.keyvalue import layout
from stores.salvage.badger import read_badger
from stores.salvage.leveldb import read_leveldb
from stores.salvage.lmdb import read_lmdb
from stores.salvage.rocksdb import read_rocksdb
from stores.salvage.sqlite import live_rows, read_sqlite, resource_of
from stores.salvage.versions import Area, Place, Reader, Version
from stores.schema import KINDS
from stores.shadow import data_of

BLOCK = 512
NOT_OF_THE_DATA = ("LOCK", "LOG", "OPTIONS", "IDENTITY", "lock.mdb", "parity.", "rocksdict", "DISCARD", ".lock", "-shm")
READERS: dict[str, Reader] = {
    "leveldb": read_leveldb,
    "rocksdb": read_rocksdb,
    "lmdb": read_lmdb,
    "badger": read_badger,
}


class Whole(NamedTuple):
    """A resource, and all bytes that have to be read for it."""

    kind: str
    id: str
    data: bytes
    places: tuple[Place, ...]


# ---- damage


def _flips(draw: random.Random, file: Path, extents: list[tuple[int, int]]) -> None:
    with file.open("r+b") as opened:
        for _ in range(draw.randint(1, 3)):
            at = _somewhere(draw, extents)
            opened.seek(at)
            byte = opened.read(1)
            opened.seek(at)
            opened.write(bytes((byte[0] ^ 1 << draw.randrange(8),)))


def _cut(draw: random.Random, file: Path, extents: list[tuple[int, int]]) -> None:
    os.truncate(file, _somewhere(draw, extents))


def _hole(draw: random.Random, file: Path, extents: list[tuple[int, int]]) -> None:
    at = _somewhere(draw, extents)
    size = min(draw.choice((BLOCK, 4096, 3 * 4096)), file.stat().st_size - at)
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(bytes(size))


def _swap(draw: random.Random, file: Path, extents: list[tuple[int, int]]) -> None:
    size = draw.choice((BLOCK, 4096))
    first, second = (_somewhere(draw, extents) // size * size for _ in range(2))
    with file.open("r+b") as opened:
        blocks = []
        for at in (first, second):
            opened.seek(at)
            blocks.append(opened.read(size))
        if len(blocks[0]) == len(blocks[1]):
            for at, block in ((first, blocks[1]), (second, blocks[0])):
                opened.seek(at)
                opened.write(block)


DAMAGES: tuple[Callable[[random.Random, Path, list[tuple[int, int]]], None], ...] = (_flips, _cut, _hole, _swap)


def _somewhere(draw: random.Random, extents: list[tuple[int, int]]) -> int:
    """A place in a file, not in its holes."""
    at = draw.randrange(sum(end - start for start, end in extents))
    for start, end in extents:
        if at < end - start:
            return start + at
        at -= end - start
    raise AssertionError(extents)


def extents_of(file: Path) -> list[tuple[int, int]]:
    """Where a file has data; zeros at the end of a log that was made too long are no data."""
    with file.open("rb") as opened:
        found = [(at, at + len(block.rstrip(b"\0"))) for at, block in data_of(opened.fileno())]
    return [(start, end) for start, end in found if end > start]


def files_of(path: Path) -> list[Path]:
    """The files of a database that hold data."""
    files = path.iterdir() if path.is_dir() else path.parent.glob(path.name + "*")
    return sorted(file for file in files if not any(word in file.name for word in NOT_OF_THE_DATA))


def damage(path: Path, seed: int) -> str:
    """Damage one file of a database; return what was done."""
    draw = random.Random(seed)
    extents = {file: extents_of(file) for file in files_of(path)}
    sizes = {file: sum(end - start for start, end in found) for file, found in extents.items()}
    filled = [file for file, size in sizes.items() if size]
    (file,) = draw.choices(filled, [sizes[file] for file in filled])
    way = DAMAGES[seed % len(DAMAGES)]
    way(draw, file, extents[file])
    return f"{way.__name__} {file.name}"


# ---- what is whole


def resources_of(scheme: str, path: Path) -> Iterator[Whole]:
    """Every resource of an undamaged database, with the places of its newest version."""
    areas: list[Area] = []
    if scheme == "sqlite":
        codec = codec_of("protobuf")
        for row in live_rows(read_sqlite(path, areas)):
            assert not isinstance(row, Area)
            if len(row.values) == 7:
                taken = resource_of(row, codec, KINDS)
                yield Whole(taken.kind, taken.id, taken.data, row.places)
    else:
        yield from _records(READERS[scheme](path, areas))
    assert areas == []


def _records(versions: Iterator[Version]) -> Iterator[Whole]:
    newest: dict[bytes, Version] = {}
    for version in versions:
        if version.key not in newest or version.number > newest[version.key].number:
            newest[version.key] = version
    for kind in KINDS.values():
        first, behind = layout.KindLayout(kind).records
        for key, version in newest.items():
            if first <= key < behind and version.value is not None:
                data = layout.message_of(version.value)
                yield Whole(kind.name, own_id(kind.message_type.FromString(data)), data, version.places)


def is_untouched(whole: Whole, before: Path, after: Path) -> bool:
    """Whether all bytes that have to be read for a resource are still what they were."""
    return all(_bytes(before, place) == _bytes(after, place) for place in whole.places)


def _bytes(path: Path, place: Place) -> bytes:
    file = path / place.file if path.is_dir() else path.with_name(place.file)
    if not file.exists():
        return b""
    with file.open("rb") as opened:
        opened.seek(place.start)
        return opened.read(place.end - place.start)
