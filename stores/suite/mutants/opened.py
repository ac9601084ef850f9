"""Stores that are wrong in how they are opened: seen by URL only, which says what for, and with which schema.

`SCHEME` is for an entry point `wrong` in the group `parity.stores`; `wrong:PATH?sin=NAME` has one of `SINS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stores.codecs import ProtobufCodec
from stores.contract import Access, Durability, Store, StoreNotFound
from stores.files import FileLock, make_folder
from stores.keyvalue.store import KeyValueStore
from stores.registry import Option, Options, Scheme
from stores.schema import KINDS, Schema
from stores.suite.file_engine import FileEngine


class Locked(KeyValueStore):
    """Holds the lock of its folder until it is closed."""

    lock: FileLock

    def close(self) -> None:
        """See `Store`."""
        super().close()
        self.lock.release()


def honest(folder: Path, schema: Schema, access: Access) -> Store:
    """Not wrong."""
    if access is Access.CREATE:
        make_folder(folder)
    elif not (folder / "rows").exists():
        raise StoreNotFound(f"there are no rows in {folder}")
    lock = FileLock(folder / "lock", shared=access is Access.READ)
    store = Locked(FileEngine(folder), ProtobufCodec(), Durability.RELAXED, schema, access)
    store.lock = lock
    return store


def own_schema(folder: Path, schema: Schema, access: Access) -> Store:  # noqa: ARG001 - the sin
    """Take no notice of the schema that it is opened with."""
    return honest(folder, KINDS, access)


def readers_unlocked(folder: Path, schema: Schema, access: Access) -> Store:
    """Let readers in while another writes."""
    store = honest(folder, schema, access)
    if access is not Access.READ and isinstance(store, Locked):
        store.lock.release()
        store.lock = FileLock(folder / "writing")
    return store


def reading_writes(folder: Path, schema: Schema, access: Access) -> Store:
    """Take writes from who has it opened for reading."""
    return honest(folder, schema, Access.WRITE if access is Access.READ else access)


def reading_notes(folder: Path, schema: Schema, access: Access) -> Store:
    """Leave a file beside the rows when they are read."""
    store = honest(folder, schema, access)
    (folder / "opened").write_text(access.value)
    return store


def always_makes(folder: Path, schema: Schema, access: Access) -> Store:
    """Make a database wherever there is none."""
    return honest(folder, schema, Access.CREATE if access is Access.WRITE else access)


Opens = Callable[[Path, Schema, Access], Store]
SINS: dict[str, tuple[Opens, str]] = {
    "own-schema": (own_schema, "open-other-schema"),
    "readers-unlocked": (readers_unlocked, "readers-and-writers"),
    "reading-writes": (reading_writes, "read-only"),
    "reading-notes": (reading_notes, "read-only"),
    "always-makes": (always_makes, "open-makes-nothing"),
}
"""How each opens, and the check that must fail."""


def _open(path: str, options: Options, schema: Schema, access: Access) -> Store:
    opens = SINS[options["sin"]][0] if options["sin"] in SINS else honest
    return opens(Path(path), schema, access)


SCHEME = Scheme("wrong", "a store that is opened wrongly", _open, (Option("sin", ("none", *SINS), "none"),))
