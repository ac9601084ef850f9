"""Damages that nobody thinks of: things in a file's place that are no files, and files that belong elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

from tests.damage.contents import digest_of_file
from tests.damage.damages import FileDamage, used_bytes

PAGE_BYTES = 4096
_GARBAGE_BYTES = 3 * 1024 * 1024 + 17


def _fifo(file: Path, older: Path) -> bool:
    file.unlink()
    os.mkfifo(file)
    return True


def _leads_nowhere(file: Path, older: Path) -> bool:
    file.unlink()
    file.symlink_to(file.with_name("nowhere") / "at all")
    return True


def _leads_to_itself(file: Path, older: Path) -> bool:
    file.unlink()
    file.symlink_to(file.name)
    return True


def _endless(file: Path, older: Path) -> bool:
    file.unlink()
    file.symlink_to("/dev/zero")
    return True


def _moved_and_linked(file: Path, older: Path) -> bool:
    """No damage: the file lies elsewhere, and a link leads there."""
    place = file.parent.parent / f"moved {file.name}"
    file.rename(place)
    file.symlink_to(place)
    return True


def _another_of_its_own(file: Path, older: Path) -> bool:
    """Put a hard link to the next file of the database in the place of this one."""
    others = [each for each in sorted(file.parent.iterdir()) if each.is_file() and not each.name.endswith("LOCK")]
    behind = [each for each in others if each.name > file.name] or others
    if not behind or behind[0] == file or digest_of_file(behind[0]) == digest_of_file(file):
        return False
    file.unlink()
    file.hardlink_to(behind[0])
    return True


def _cut_to_pages(file: Path, older: Path) -> bool:
    pages = used_bytes(file) // PAGE_BYTES
    if pages < 2:
        return False
    os.truncate(file, (pages - 1) * PAGE_BYTES)
    return True


def _cut_to_a_page(file: Path, older: Path) -> bool:
    if used_bytes(file) <= PAGE_BYTES:
        return False
    os.truncate(file, PAGE_BYTES)
    return True


def _longer_by(data: bytes) -> FileDamage:
    def append(file: Path, older: Path) -> bool:
        with file.open("ab") as opened:
            opened.write(data)
        return True

    return append


def _holes(file: Path, older: Path) -> bool:
    """Make a hole of every second page, as a file system does that lost the pages but not the length."""
    used = used_bytes(file)
    if used <= PAGE_BYTES:
        return False
    before = digest_of_file(file)
    data = bytearray(file.read_bytes()[:used])
    size = file.stat().st_size
    os.truncate(file, 0)
    with file.open("r+b") as opened:
        for place in range(0, used, 2 * PAGE_BYTES):
            os.pwrite(opened.fileno(), bytes(data[place : place + PAGE_BYTES]), place)
    os.truncate(file, size)
    return digest_of_file(file) != before


def _twice(file: Path, older: Path) -> bool:
    """Append the file to itself, as a copy that was begun again does."""
    used = used_bytes(file)
    if not used:
        return False
    data = file.read_bytes()[:used]
    with file.open("r+b") as opened:
        os.pwrite(opened.fileno(), data, used)
    return True


def _lines_ended_twice(file: Path, older: Path) -> bool:
    """Carry the file as text, as some tools do: each line feed gets a carriage return."""
    used = used_bytes(file)
    data = file.read_bytes()[:used]
    if b"\n" not in data:
        return False
    file.write_bytes(data.replace(b"\n", b"\r\n"))
    return True


def _a_page(file: Path, older: Path) -> bool:
    file.write_text("<!DOCTYPE html><title>404 Not Found</title>\n", encoding="utf-8")
    return True


def _not_ours(file: Path, older: Path) -> bool:
    """Give the file to another owner who alone may read it; root without its rights is bound by that."""
    if os.geteuid() != 0:
        return False
    file.chmod(0o600)
    os.chown(file, 12345, 12345)
    return True


STRANGE_DAMAGES: Mapping[str, FileDamage] = {
    "a FIFO": _fifo,
    "a link that leads nowhere": _leads_nowhere,
    "a link to itself": _leads_to_itself,
    "a link to a file without end": _endless,
    "moved, with a link": _moved_and_linked,
    "a hard link to another file": _another_of_its_own,
    "cut to whole pages": _cut_to_pages,
    "cut to one page": _cut_to_a_page,
    "3 MiB of noise behind it": _longer_by(Random(3).randbytes(_GARBAGE_BYTES)),
    "a page of zeros behind it": _longer_by(bytes(PAGE_BYTES)),
    "every second page a hole": _holes,
    "itself behind it": _twice,
    "carried as text": _lines_ended_twice,
    "a page of the web": _a_page,
    "another owner's": _not_ours,
}
