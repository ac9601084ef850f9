"""What is done to a database: one table of damages to a file, one to a whole database, and random ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from stores.shadow import copy_sparse, data_of
from tests.damage.contents import digest_of_file

FileDamage = Callable[[Path, Path], bool]
"""Damages a file, given its older copy (which may not exist); false where that changes nothing."""


ANOTHERS = "another database's copy"
"""Gets the copy in the place of the older one."""


def _remove(file: Path, older: Path) -> bool:
    file.unlink()
    return True


def _empty(file: Path, older: Path) -> bool:
    return _cut_to(file, 0)


def _cut_half(file: Path, older: Path) -> bool:
    return _cut_to(file, used_bytes(file) // 2)


def _cut_end(file: Path, older: Path) -> bool:
    return _cut_to(file, used_bytes(file) - 1)


def _cut_to(file: Path, size: int) -> bool:
    if size < 0 or size == file.stat().st_size:
        return False
    os.truncate(file, size)
    return True


def _flip_at(share: float) -> FileDamage:
    """Flip one bit at a place between the first byte (0) and the last that isn't in a hole or zero (1)."""

    def flip(file: Path, older: Path) -> bool:
        used = used_bytes(file)
        if used == 0:
            return False
        _flip(file, min(int(used * share), used - 1))
        return True

    return flip


def _swap(file: Path, older: Path) -> bool:
    if not older.is_file() or digest_of_file(older) == digest_of_file(file):
        return False
    file.unlink()
    copy_sparse(older, file)
    return True


def _forbid(file: Path, older: Path) -> bool:
    file.chmod(0)
    return True


def _directory(file: Path, older: Path) -> bool:
    file.unlink()
    file.mkdir()
    return True


FILE_DAMAGES: Mapping[str, FileDamage] = {
    "removed": _remove,
    "empty": _empty,
    "cut in half": _cut_half,
    "cut by a byte": _cut_end,
    "bit flipped in the head": _flip_at(0.03),
    "bit flipped in the middle": _flip_at(0.5),
    "bit flipped in the tail": _flip_at(0.97),
    "older copy": _swap,
    "not permitted": _forbid,
    "a directory": _directory,
    ANOTHERS: _swap,
}


def damage_randomly(file: Path, random: Random) -> str:
    """Damage a file at a random place in a random way; return what was done, or "" where nothing changed."""
    before = digest_of_file(file)
    used = used_bytes(file)
    if used < 2:
        return ""
    done = random.choice((_random_flips, _random_cut, _random_hole, _random_blocks))(file, random, used)
    return done if digest_of_file(file) != before else ""


def _random_flips(file: Path, random: Random, used: int) -> str:
    places = sorted(random.randrange(used) for _ in range(random.choice((1, 1, 2, 8))))
    for place in places:
        _flip(file, place, 1 << random.randrange(8))
    return f"bits flipped at {places}"


def _random_cut(file: Path, random: Random, used: int) -> str:
    size = random.randrange(used)
    os.truncate(file, size)
    return f"cut to {size} of {used} bytes"


def _random_hole(file: Path, random: Random, used: int) -> str:
    size = random.choice((64, 512, 4096))
    place = random.randrange(used)
    _write(file, place, bytes(min(size, used - place)))
    return f"{size} bytes of zeros at {place}"


def _random_blocks(file: Path, random: Random, used: int) -> str:
    size = random.choice((512, 4096))
    blocks = used // size
    if blocks < 2:
        return ""
    one, two = random.sample(range(blocks), 2)
    with file.open("rb") as opened:
        first, second = (os.pread(opened.fileno(), size, block * size) for block in (one, two))
    _write(file, one * size, second)
    _write(file, two * size, first)
    return f"blocks {one} and {two} of {size} bytes swapped"


def used_bytes(file: Path) -> int:
    """Return how long a file is without the zeros at its end: Badger and LMDB make files longer than they need."""
    with file.open("rb") as opened:
        return max(
            (place + len(block.rstrip(b"\0")) for place, block in data_of(opened.fileno()) if any(block)), default=0
        )


def _flip(file: Path, place: int, mask: int = 0x10) -> None:
    with file.open("rb") as opened:
        (byte,) = os.pread(opened.fileno(), 1, place)
    _write(file, place, bytes([byte ^ mask]))


def _write(file: Path, place: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        os.pwrite(opened.fileno(), data, place)
