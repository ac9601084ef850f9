"""What the folder of each engine holds: whether there is a database, none, a damaged one, or somebody else's.

Asked before a driver is: LevelDB and RocksDB take a folder without `CURRENT` for a new one, make a database in it and
delete the tables that nothing names any more.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from stores.contract import Access, FormatMismatch, StoreDamaged, StoreNotFound
from stores.files import TOO_MANY_FILES_HINT, DriverLock, check_apart, make_folder, unreadable
from stores.high_water import FOLDER_MARK, read_mark
from stores.shadow import Shadow, in_its_own_name

OWN_FILES = r"parity\..*"
"""Files of this project beside an engine's."""

_NO_FILES = r"LOG(\..*)?|archive|lost"
"""What may be no file: texts for people, which drivers move away without opening them, and RocksDB's folders."""
_CURRENT, _CURRENT_BYTES_MAX, _SHOWN_BYTES = "CURRENT", 64, 40
"""Names the newest MANIFEST, by its file name and a line end (LevelDB's `doc/impl.md`); RocksDB's does the same."""
_NOT_SHADOWED = r"LOCK|LOG(\..*)?"


@dataclass(frozen=True, slots=True)
class FolderFormat:
    """The names of an engine's files.

    `head` is the file without which there is no database. Files that match `data` hold what was stored, so that they
    are never there without the head. `other` files may be there without it: a process that is killed in its very first
    open leaves them. `foreign` files belong to another engine with files of the same names. A database has
    at least one file that matches `mark`.
    """

    engine: str
    head: str
    data: str
    other: str
    foreign: str = r"(?!)"
    mark: str = r".*"


LEVELDB = FolderFormat(
    "LevelDB",
    "CURRENT",
    r"\d+\.(ldb|sst|log)|MANIFEST-(?!000001$)\d+",
    r"LOCK|LOG(\.old)?|MANIFEST-000001|\d+\.dbtmp",
    foreign=r"IDENTITY|OPTIONS-\d+|MANIFEST|KEYREGISTRY|data\.mdb",
)
ROCKSDB = FolderFormat(
    "RocksDB",
    "CURRENT",
    r"\d+\.(sst|ldb|log|blob)|MANIFEST-(?!000001$)\d+",
    r"LOCK|LOG(\..*)?|IDENTITY|OPTIONS-\d+(\.dbtmp)?|MANIFEST-000001|\d+\.dbtmp|rocksdict-config\.json|archive|lost",
    foreign=r"MANIFEST|KEYREGISTRY|data\.mdb",
    mark=r"IDENTITY|OPTIONS-\d+",
)
"""RocksDB opens a database of LevelDB's, and makes its own of it."""
LMDB = FolderFormat("LMDB", "data.mdb", r"(?!)", r"lock\.mdb")
BADGER = FolderFormat(
    "Badger",
    "MANIFEST",
    r"\d+\.(sst|vlog|mem)|KEYREGISTRY|DISCARD",
    r"LOCK|MANIFEST-REWRITE",
    foreign=r"CURRENT|data\.mdb",
)


def check_folder(path: Path, layout: FolderFormat, access: Access) -> None:
    """Make sure that an engine may open a folder; make the folder when a new database is wanted.

    Raises StoreNotFound, StoreDamaged (files of a database without its head, a damaged high-water mark), FormatMismatch
    (somebody else's files), StoreUnavailable (not a folder, not readable).
    """
    if not path.exists() and not path.is_symlink():
        if access is not Access.CREATE:
            raise StoreNotFound(f"there is no {layout.engine} database {path}")
        make_folder(path)
        return
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except NotADirectoryError as error:
        raise FormatMismatch(f"{path} is a file, and no {layout.engine} database", hint="choose a folder") from error
    except OSError as error:
        raise unreadable(f"the folder {path}", error) from error
    _check_names(path, layout, names, access)
    read_mark(path / FOLDER_MARK)  # before a driver changes anything


def _check_names(path: Path, layout: FolderFormat, names: list[str], access: Access) -> None:
    foreign = _matching(names, layout.foreign)
    if layout.head in names and not foreign and not _matching(names, layout.mark):
        foreign = [layout.head]
    if foreign:
        raise FormatMismatch(
            f"{path} holds {foreign[0]!r}: it belongs to another engine than {layout.engine}",
            hint="choose another path, or the scheme of the engine that made it",
        )
    if layout.head in names:
        _check_files(path, layout, names)
        return
    strangers = [name for name in names if not re.fullmatch(f"{layout.data}|{layout.other}|{OWN_FILES}", name)]
    data = _matching(names, layout.data) or ([] if strangers else _matching(names, re.escape(FOLDER_MARK)))
    if data:
        raise StoreDamaged(
            f"the {layout.engine} database {path} is damaged: {layout.head} is missing, but files such as {data[0]} "
            "are there"
        )
    if strangers:
        raise FormatMismatch(
            f"{path} holds {strangers[0]!r} but no {layout.engine} database",
            hint="choose an empty folder, or the right one",
        )
    if access is not Access.CREATE:
        raise StoreNotFound(f"there is no {layout.engine} database in the folder {path}")


def _check_files(path: Path, layout: FolderFormat, names: list[str]) -> None:
    """Raise StoreDamaged for what has an engine's name and is no file: a driver would wait for a pipe for ever."""
    own = f"{re.escape(layout.head)}|{layout.data}|{layout.other}"
    files = [path / name for name in _matching(names, own) if not re.fullmatch(_NO_FILES, name)]
    for file in files:
        if not file.is_file():
            raise StoreDamaged(f"the {layout.engine} database {path} is damaged: {file.name} is no file")
    if layout.head == _CURRENT:
        _check_current(path, layout)
    check_apart([*files, *(path / name for name in _matching(names, OWN_FILES))])


def _check_current(path: Path, layout: FolderFormat) -> None:
    """Raise StoreDamaged if `CURRENT` names no MANIFEST: drivers say of such that the disk is full, or go elsewhere."""
    try:
        with (path / _CURRENT).open("rb") as file:
            named = file.read(_CURRENT_BYTES_MAX)
    except OSError as error:
        raise unreadable(str(path / _CURRENT), error) from error
    if not re.fullmatch(rb"MANIFEST-\d+\n", named):
        raise StoreDamaged(
            f"the {layout.engine} database {path} is damaged: CURRENT names no MANIFEST, but {named[:_SHOWN_BYTES]!r}"
        )


def _matching(names: list[str], pattern: str) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]


def told(error: Exception, path: Path) -> str:
    """Return a driver's words, with the database's path where it names a shadow's."""
    first = error.args[0] if error.args else ""
    words = first.decode(errors="replace") if isinstance(first, bytes) else str(error)
    return in_its_own_name(words, path)


def hint_for(reason: str) -> str:
    """Return what to do about a driver's refusal that says nothing of damage or locks."""
    if "too many open files" in reason.lower():
        return TOO_MANY_FILES_HINT
    return "is the disk full, or the path not writable?"


def enter_folder(opened: ExitStack, path: Path, access: Access, never_rewritten: str) -> Path:
    """Return the folder to give to a driver that writes when it opens, and lock its `LOCK`.

    For reading that is a shadow: files whose names match `never_rewritten` are linked. `opened` gives all back.
    Raises StoreDamaged for an empty table, StoreLocked, StoreUnavailable.
    """
    lock = DriverLock(path, shared=access is Access.READ)
    opened.callback(lock.release)
    if access is not Access.READ:
        return path
    shadow = Shadow((file for file in path.iterdir() if not re.fullmatch(_NOT_SHADOWED, file.name)), never_rewritten)
    opened.callback(shadow.remove)
    return shadow.path
