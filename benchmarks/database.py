"""One independent database under measurement: its files, its agents, and whether it is open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.results import Subject
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.contract import Put, Store

KIND = "agent"
FILL_AT_ONCE = 50
"""Agents in one batch where writing isn't what is measured."""
_BLOCK = 512
"""The unit of `st_blocks`, whatever the file system's own (POSIX stat.h)."""

Opener = Callable[[str], Store]


class Database:
    """A store in a folder of its own, with the agents that belong into it in the order of their creation."""

    def __init__(self, subject: Subject, folder: Path, agents: Sequence[Agent], opener: Opener) -> None:
        """Describe the database; nothing is opened yet."""
        self.subject = subject
        self.folder = folder
        self.agents = agents
        self.saved = 0
        self._opener = opener
        self._store: Store | None = None

    @property
    def url(self) -> str:
        """The store URL of the database."""
        return url_of(self.subject, self.folder)

    @property
    def store(self) -> Store:
        """The open store; opened when it isn't. Raises StoreError."""
        if self._store is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._store = self._opener(self.url)
        return self._store

    def sibling(self, folder: Path, agents: Sequence[Agent]) -> Database:
        """Return another database of the same subject, with nothing in it yet."""
        return Database(self.subject, folder, agents, self._opener)

    def save(self, agent: Agent) -> None:
        """Create one agent with a commit of its own, as a server does. Raises StoreError."""
        self.store.commit([Put(KIND, agent.metadata.id, agent, precondition="absent")])
        self.saved += 1

    def fill(self) -> None:
        """Create all agents that aren't there yet, in batches. Raises StoreError."""
        while self.saved < len(self.agents):
            batch = self.agents[self.saved : self.saved + FILL_AT_ONCE]
            self.store.commit([Put(KIND, agent.metadata.id, agent, precondition="absent") for agent in batch])
            self.saved += len(batch)

    def close(self) -> None:
        """Close the store if it is open. Raises StoreError."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def copy(self, name: str) -> Database:
        """Return a copy on disk beside this one, which is closed for it: whatever happens to it, this one stays."""
        self.close()
        folder = self.folder.with_name(f"{self.folder.name}-{name}")
        shutil.copytree(self.folder, folder, copy_function=copy_with_holes)
        twin = Database(self.subject, folder, self.agents, self._opener)
        twin.saved = self.saved
        return twin

    def remove(self) -> None:
        """Close and delete the files."""
        with suppress(Exception):  # a broken store may not even close; its files go all the same
            self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def allocated_bytes(self) -> int:
        """Return what the files take on disk, in blocks that the file system really allocated. Closes the store."""
        self.close()
        return allocated_bytes(self.folder)


def url_of(subject: Subject, folder: Path) -> str:
    """Return the URL of a subject's store in a folder."""
    if subject.engine == "memory":
        return "memory:"
    return f"{subject.engine}:{folder / 'db'}?codec={subject.codec}&durability={subject.durability}"


def copy_with_holes(source: str, target: str) -> None:
    """Copy a file's data and leave its holes: some engines map files larger than what is in them."""
    with Path(source).open("rb") as old, Path(target).open("wb") as new:
        end = os.fstat(old.fileno()).st_size
        place = 0
        while place < end:
            try:
                place = os.lseek(old.fileno(), place, os.SEEK_DATA)
            except OSError:  # ENXIO: from here on there is nothing but a hole
                break
            stop = os.lseek(old.fileno(), place, os.SEEK_HOLE)
            old.seek(place)
            new.seek(place)
            while place < stop and (part := old.read(min(stop - place, 1 << 20))):
                new.write(part)
                place += len(part)
        new.truncate(end)


def allocated_bytes(folder: Path) -> int:
    """Return what the files below a folder take on disk."""
    return sum(_allocated(path) for path in folder.rglob("*") if path.is_file())


def _allocated(path: Path) -> int:
    with path.open("rb") as file:
        os.fsync(file.fileno())  # blocks of a file that isn't written out yet aren't final
        return os.fstat(file.fileno()).st_blocks * _BLOCK
