"""What the readers of file formats hand over: versions of rows with their places, and areas that can't be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from mmap import mmap
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Bytes of a file, by the file's name: from `start` up to, and without, `end`."""

    file: str
    start: int
    end: int


class Version(NamedTuple):
    """One version of a row of the key-value layout; `value` None is a removal.

    The version with the highest `number` counts. `places` are all bytes that had to be read for it.
    """

    key: bytes
    number: int
    value: bytes | None
    places: tuple[Place, ...]


class Area(NamedTuple):
    """Bytes that can't be read."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place.file}, bytes {self.place.start} to {self.place.end}: {self.reason}"


class Damaged(Exception):
    """Bytes that aren't what the format asks for."""


Reader = Callable[[Path, list[Area]], Iterator[Version]]
"""Yields all versions that the files of a database hold, in any order, and appends what it couldn't read."""


def bytes_of(file: Path, areas: list[Area]) -> bytes:
    """Return a file's bytes; of one that can't be read none, and an area says so."""
    if file.exists() and not file.is_file():
        areas.append(Area(Place(file.name, 0, 0), "it is no file"))
        return b""
    try:
        return file.read_bytes()
    except OSError as error:
        areas.append(Area(Place(file.name, 0, 0), f"the file can't be read: {error.strerror}"))
        return b""


def varint(data: bytes | mmap, at: int) -> tuple[int, int]:
    """Return a number in LEB128 (as protobuf, LevelDB and Go write it) and where it ends. Raises Damaged."""
    number = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return number, place + 1
        shift += 7
    raise Damaged("a number doesn't end")
