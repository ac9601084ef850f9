"""The databases that are damaged: 50 agents, half of them in tables, half in a log that no close has emptied."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from stores.contract import Put, Store
from stores.registry import open_store
from stores.shadow import copy_sparse
from stores.suite.samples import agent
from stores.transfer import complete_records

AGENTS = 50
ANOTHERS_AGENTS = 60
NAME = "db"
_TEXT_BYTES = 2000
"""Fills more than one block and page of each engine."""
_LARGE_BYTES = 1_300_000
"""Above what Badger keeps in its tables: such a value goes to its value log."""
_TIMEOUT_SECONDS = 120
CLOSE = "import sys; from stores.registry import open_store; open_store(sys.argv[1]).close()"
"""In a process of its own: what this one had open for writing would keep a file system writable."""


@dataclass(frozen=True, slots=True)
class Base:
    """A database of an engine: the folder that holds it, one of half its age, and what it holds.

    `another` is the folder of a larger database, of other agents.
    """

    scheme: str
    folder: Path
    older: Path
    another: Path
    digest: str
    digest_of_another: str

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, relative to the folder."""
        return files_of(self.folder)


def build(scheme: str, folder: Path, *, closed: bool = False) -> Base:
    """Make the databases of an engine in processes that are killed when they are done, or have them closed as well."""
    newest, older, another = folder / "newest", folder / "older", folder / "another"
    for name, made, agents in (("a", newest, AGENTS), ("b", another, ANOTHERS_AGENTS)):
        made.mkdir(parents=True)
        _write(scheme, made, name, 0, agents // 2)
        if made is newest:
            copy_tree(newest, older)
        _write(scheme, made, name, agents // 2, agents)
        if closed:
            subprocess.run([sys.executable, "-c", CLOSE, url_of(scheme, made)], check=True, timeout=_TIMEOUT_SECONDS)
    digests = []
    for made in (newest, another):
        with open_store(url_of(scheme, made), read_only=True) as store:
            digests.append(digest_of(store))
    return Base(scheme, newest, older, another, *digests)


def _write(scheme: str, folder: Path, name: str, start: int, stop: int) -> None:
    command = [sys.executable, "-m", "tests.damage.base", url_of(scheme, folder), name, str(start), str(stop)]
    subprocess.run(command, check=True, timeout=_TIMEOUT_SECONDS)


def url_of(scheme: str, folder: Path) -> str:
    """Return the URL of the database in a folder."""
    return f"{scheme}:{folder / NAME}"


def digest_of(store: Store) -> str:
    """Return a digest of all that a store holds, read as an export reads it."""
    digest = hashlib.sha256()
    for record in complete_records(store):
        digest.update(repr(record[:4]).encode() + record.data)
    return digest.hexdigest()


def files_of(folder: Path) -> tuple[Path, ...]:
    """Return all files in a folder and below, relative to it."""
    return tuple(sorted(path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()))


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder, the holes of its files left out."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir()
        else:
            copy_sparse(path, place)


def main(url: str, name: str, start: int, stop: int) -> None:
    """Create agents, move the older half into tables, and end without closing."""
    random = Random(f"{name} {start}")
    store = open_store(url, create=True)
    for number in range(start, stop):
        large = number == start and url.startswith("badger:")
        text = random.randbytes((_LARGE_BYTES if large else _TEXT_BYTES) // 2).hex()
        id_ = f"{name}{number:02d}"
        store.commit([Put("agent", id_, agent(id_, text=text), "absent")])
        if number == start + (stop - start) // 2:
            store.compact()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
