"""Opening for reading, and without making anything: nothing is changed, and who writes is kept out."""

from __future__ import annotations

from pathlib import Path

from stores.contract import Access, Delete, Put, StoreLocked, StoreNotFound, StoreReadOnly
from stores.suite.check import Bench, Checks, is_persistent, refused, same
from stores.suite.checks.lifecycle import is_exclusive
from stores.suite.samples import everything, fill, instance, put, slug_key

checks = Checks()


@checks("read-only", applies=is_persistent)
def read_only(bench: Bench) -> None:
    """A store that is opened for reading answers as before, refuses to write, and changes not a byte of a file."""
    store = bench.store
    fill(store, ["a", "b"])
    store.commit([Delete("agent", "a"), Put("agent_instance", "i", instance("i", "b"))])
    before, last = everything(store), store.last_position()
    store.close()
    files = _files(bench.subject.folder)
    reader = bench.open_for(bench.name, Access.READ)
    same("contents", everything(reader), before)
    same("find", reader.find("agent", "slug_key", slug_key("b")), "b")
    same("numbers", (reader.count("agent"), reader.last_position()), (1, last))
    refused("commit", StoreReadOnly, lambda: reader.commit([put("c")]))
    refused("commit_many", StoreReadOnly, lambda: reader.commit_many([[put("c")], [Delete("agent", "b")]]))
    same("contents after a refused commit", everything(reader), before)
    same("files that differ while it is open", _differing(files, bench.subject.folder), [])
    reader.close()
    same("files that differ afterwards", _differing(files, bench.subject.folder), [])
    bench.reopen().commit([put("c")])
    same("count", bench.store.count("agent"), 2)


@checks("open-makes-nothing", applies=is_persistent)
def makes_nothing(bench: Bench) -> None:
    """Where there is no database none is made, unless that is asked for: StoreNotFound, and no file or folder."""
    bench.open_for(f"{bench.name}-made", Access.CREATE).close()
    before = _files(bench.subject.folder)
    for access in (Access.READ, Access.WRITE):
        told = f"open for {access.value} where nothing is"
        refused(told, StoreNotFound, lambda access=access: bench.open_for(f"{bench.name}-none", access))  # type: ignore[misc] # binds the loop's value
        same("files", _differing(before, bench.subject.folder), [])


@checks("readers-and-writers", applies=is_exclusive)
def readers_and_writers(bench: Bench) -> None:
    """Who reads is refused while another has the store open for writing, and who writes while another reads."""
    bench.store.commit([put("a")])
    bench.store.close()
    reader = bench.open_for(bench.name, Access.READ)
    refused("open for writing, while one reads", StoreLocked, lambda: bench.open_for(bench.name, Access.WRITE))
    same("count", reader.count("agent"), 1)
    reader.close()
    writer = bench.reopen()
    for number in range(2):
        refused("open for reading, while one writes", StoreLocked, lambda: bench.open_for(bench.name, Access.READ))
        writer.commit([put(f"b{number}")])


def _files(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder: the bytes of each file, and nothing for a folder."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in found}


def _differing(before: dict[str, bytes], folder: Path) -> list[str]:
    now = _files(folder)
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
