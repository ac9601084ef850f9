"""Salvages a database: reads its files, never writes one, and creates what it finds in a new store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from stores.apart import check_not_within
from stores.contract import Conflict, Delete, InvalidStoreUrl, Put, Store, StoreError, StoreNotFound, StoreUnavailable
from stores.files import DriverLock, FileLock
from stores.high_water import FILE_MARK, FOLDER_MARK, read_mark
from stores.registry import StoreUrl, open_store, parse_url, scheme_of
from stores.salvage.badger import read_badger
from stores.salvage.keyvalue import sort_rows
from stores.salvage.leveldb import read_leveldb
from stores.salvage.lmdb import read_lmdb
from stores.salvage.pile import Loss, Pile, Taken
from stores.salvage.sqlite import read_sqlite, sort_pages
from stores.salvage.versions import Area, Reader
from stores.schema import KINDS
from stores.sqlite.files import WAL, beside

BATCH_RESOURCES = 200
_DEFAULT_CODECS = {"sqlite": "json-orjson"}

READING, TAKING = "reading", "taking"
Progress = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is: of the reading about, by bytes."""
Sorter = Callable[[Path, Pile, str, list[Area]], None]
"""Reads the database at a path into a pile; gets the codec to assume, and appends what it can't read."""
Lock = Callable[[Path], FileLock | DriverLock]


@dataclass
class Salvage:
    """What came of it. `missing` says how many resources of a kind are lost beside those in `lost`."""

    taken: Counter[str] = field(default_factory=Counter)
    lost: list[Loss] = field(default_factory=list)
    missing: Counter[str] = field(default_factory=Counter)
    doubtful: list[tuple[str, str]] = field(default_factory=list)
    """Kind and id of what was taken although no index that can be read names it: it may have been deleted."""
    areas: list[Area] = field(default_factory=list)
    """Bytes that can't be read. What stood there may be lost even if nothing else is said to be: a later version
    of a resource, for example."""
    uncounted: int = 0
    """How many resources more the high-water mark counted than are taken, lost or missing. Some may have been deleted
    since, so nothing is made of it unless something else is lost."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lost."""
        return not (self.lost or self.missing or self.areas)


def salvage(source: str, target: str, progress: Progress = lambda _stage, _done, _total: None) -> Salvage:
    """Create every readable resource of a damaged database in a new one.

    Args:
        source: URL of the damaged database. Its files are read and never changed.
        target: URL of the new database.
        progress: Is told how far it is.

    Raises:
        InvalidStoreUrl: A URL that names no store, a source that has no files, a target that isn't empty.
        StoreNotFound: There is nothing at the source's path.
        StoreLocked: A program has the source open.
    """
    parsed = parse_url(source)
    path = Path(parsed.path)
    sort, lock = _source(parsed)
    if not (path.exists() or (parsed.scheme == "sqlite" and beside(path, WAL).is_file())):
        raise StoreNotFound(f"there is no database at {path}")
    _check_target(target, parsed)
    result = Salvage()
    with lock(path), TemporaryDirectory(prefix="parity-salvage-") as folder, _pile(folder, path, progress) as pile:
        sort(path, pile, parsed.options.get("codec", _DEFAULT_CODECS.get(parsed.scheme, "protobuf")), result.areas)
        with open_store(target, create=True) as store:
            if store.last_position():
                raise InvalidStoreUrl(f"{target} isn't empty", hint="give --to a path where nothing is yet")
            _create(store, pile, result, progress)
        result.lost += pile.losses()
        _count_missing(pile, result)
        if result.areas:
            result.doubtful += pile.unnamed()
    if not result.is_whole:
        known = result.taken.total() + len(result.lost) + result.missing.total()
        result.uncounted = max(_marked(parsed) - known, 0)
    return result


def _marked(source: StoreUrl) -> int:
    """Return how many resources the high-water mark counted, 0 where it says nothing."""
    path = Path(source.path)
    with suppress(StoreError):  # damaged as well
        mark = read_mark(beside(path, FILE_MARK) if source.scheme == "sqlite" else path / FOLDER_MARK)
        return mark.high_water.resources if mark else 0
    return 0


def _pile(folder: str, path: Path, progress: Progress) -> Pile:
    """Return an empty pile in a folder; it tells how much of the database at a path is on it."""
    files = [file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    # Files may be mostly holes. A row comes first, its resource later.
    total, done = 2 * sum(min(file.stat().st_size, file.stat().st_blocks * 512) for file in files), 0

    def told(size: int) -> None:
        nonlocal done
        done = min(done + size, total)
        progress(READING, done, total)

    return Pile(Path(folder) / "pile", told)


def _check_target(target: str, source: StoreUrl) -> None:
    """Raise InvalidStoreUrl if the new database wouldn't stay, or would stand in the damaged one."""
    parsed = parse_url(target)
    scheme = scheme_of(parsed.scheme)
    if scheme.needs_path:
        check_not_within(Path(parsed.path), source)
    elif not scheme.is_remote:
        raise InvalidStoreUrl(f"{target} ends with this command", hint="give --to a store that stays")


def _count_missing(pile: Pile, result: Salvage) -> None:
    named = Counter(loss.kind for loss in result.lost)
    for kind, number in pile.missing():
        if number > named[kind]:
            result.missing[kind] = number - named[kind]


# ---- the new database


def _create(store: Store, pile: Pile, result: Salvage, progress: Progress) -> None:
    waiting, done, there = pile.taken(), 0, pile.count()
    while batch := list(islice(waiting, BATCH_RESOURCES)):
        try:
            store.commit([_put(taken) for taken in batch])
            result.taken.update(taken.kind for taken in batch)
        except StoreError:
            for taken in batch:
                _create_one(store, pile, taken, result)
        done += len(batch)
        progress(TAKING, done, there)


def _create_one(store: Store, pile: Pile, taken: Taken, result: Salvage) -> None:
    """Create a resource. Of two that have one unique key, that with the higher revision is kept: the other is older."""
    try:
        store.commit([_put(taken)])
    except Conflict as conflict:
        holder = conflict.holder_id
        if holder is None or pile.revision_of(taken.kind, holder) > taken.revision:
            result.lost.append(Loss(taken.kind, taken.id, str(conflict)))
            return
        store.commit([Delete(taken.kind, holder), _put(taken)])
        result.lost.append(Loss(taken.kind, holder, f"its unique key is that of {taken.id}, which is newer"))
        result.taken[taken.kind] -= 1
    except StoreError as error:
        result.lost.append(Loss(taken.kind, taken.id, str(error)))
        return
    result.taken[taken.kind] += 1


def _put(taken: Taken) -> Put:
    message = KINDS[taken.kind].message_type.FromString(taken.data)
    return Put(taken.kind, taken.id, message, "absent", data=taken.data)


# ---- the damaged one


def _source(url: StoreUrl) -> tuple[Sorter, Lock]:
    if url.scheme not in SOURCES:
        raise InvalidStoreUrl(
            f"a database of {url.scheme!r} can't be salvaged", hint=f"it can be one of: {', '.join(SOURCES)}"
        )
    return SOURCES[url.scheme]


def _rows(read: Reader, path: Path, pile: Pile, codec: str, areas: list[Area]) -> None:
    for version in read(path, areas):
        if version.key[:1] in _ROW_LETTERS:
            pile.add_version(version)
    sort_rows(pile, codec, KINDS)


_ROW_LETTERS = frozenset(bytes((letter,)) for letter in b"MSrouic")
"""What the keys of the layout begin with; an engine's own rows begin otherwise."""


def _rocksdb(path: Path, pile: Pile, codec: str, areas: list[Area]) -> None:
    try:
        from stores.salvage.rocksdb import read_rocksdb  # noqa: PLC0415 - needs a package that only RocksDB asks for
    except ModuleNotFoundError as error:
        raise StoreUnavailable(
            f"the Python package {error.name!r} is not installed",
            hint="pip install 'agent-parity[rocksdb]', or pip install xxhash",
        ) from error
    _rows(read_rocksdb, path, pile, codec, areas)


def _pages(path: Path, pile: Pile, codec: str, areas: list[Area]) -> None:
    sort_pages(read_sqlite(path, areas), pile, codec, KINDS, areas)


def _driver_lock(path: Path) -> DriverLock:
    return DriverLock(path, shared=True)


def _sqlite_lock(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".lock"), shared=True)


SOURCES: dict[str, tuple[Sorter, Lock]] = {
    "leveldb": (partial(_rows, read_leveldb), _driver_lock),
    "rocksdb": (_rocksdb, _driver_lock),
    "lmdb": (partial(_rows, read_lmdb), lambda path: FileLock(path / "parity.lock", shared=True)),
    # Badger locks the folder itself.
    "badger": (partial(_rows, read_badger), lambda path: FileLock(path, shared=True)),
    "sqlite": (_pages, _sqlite_lock),
}
"""By scheme: what reads the files of a damaged database, and what keeps writers out meanwhile."""
