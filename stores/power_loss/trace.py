"""Reads what strace wrote (`-f -y -xx`) into operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from stores.power_loss.file_operations import Do, FileOperation

CALLS = (
    "open,openat,creat,close,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,rename,renameat,"
    "renameat2,unlink,unlinkat,fsync,fdatasync,msync,sync_file_range,mmap"
)
"""The system calls that are recorded."""
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)", re.DOTALL)
_UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$", re.DOTALL)
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$", re.DOTALL)
_FD = re.compile(r"(-?\d+)<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_WRITES = frozenset({"write", "writev", "pwrite64", "pwritev", "pwritev2"})
_SYNCS = frozenset({"fsync", "fdatasync"})
_STANDARD_OUTPUT = 1
_SCRATCH = re.compile(r".*-shm|LOCK|LOG(\.old)?|lock\.mdb|.*\.lock")
"""Files whose contents nobody relies on after a restart."""


class _Open(NamedTuple):
    """An open file: which file, and whether each write is lasting when it returns."""

    file: int
    synchronous: bool
    append: bool


class Unrecordable(Exception):
    """The process changes files in a way that strace doesn't see."""


class TraceReader:
    """Turns lines into operations; state goes from one line to the next."""

    def __init__(self, folder: str) -> None:
        """Take the folder that is watched; what happens elsewhere is left out."""
        self.operations: list[FileOperation] = []
        self._folder = folder
        self._files: dict[str, int] = {}
        """The file that a path names, now."""
        self._lengths: dict[int, int] = {}
        self._count = 0
        self._open: dict[int, _Open] = {}
        self._offsets: dict[int, int] = {}
        self._begun: dict[str, tuple[str, int]] = {}

    def read(self, lines: Iterable[str]) -> None:
        """Read the lines of one process (and its threads) to its end. Raises Unrecordable."""
        for line in lines:
            if unfinished := _UNFINISHED.match(line):
                self._begun[unfinished[1]] = (f"{unfinished[2]}({unfinished[3]}", len(self.operations))
                continue
            covers = len(self.operations)
            if resumed := _RESUMED.match(line):
                front, covers = self._begun.pop(resumed[1], ("", covers))
                line = f"{resumed[1]} {front}{resumed[3]}"  # noqa: PLW2901 - the line as it would be in one piece
            call = _CALL.match(line)
            if call and not call[4].startswith("-"):
                self._call(call[2], call[3], int(call[4], 0), covers)
        self._open.clear()
        self._offsets.clear()

    def _call(self, name: str, arguments: str, result: int, covers: int) -> None:
        if name in {"open", "openat", "creat"}:
            self._opened(name, arguments, result)
        elif name in _WRITES:
            self._written(name, arguments, result)
        elif name in _SYNCS:
            self._synced(arguments, covers)
        elif name in {"rename", "renameat", "renameat2"}:
            self._renamed(arguments)
        elif name in {"unlink", "unlinkat"}:
            self._unlinked(arguments)
        elif name in {"ftruncate", "truncate", "fallocate"}:
            self._resized(name, arguments)
        elif name == "lseek":
            self._offsets[_fd(arguments)] = result
        elif name == "mmap":
            self._mapped(arguments)
        elif name == "close":
            self._open.pop(_fd(arguments), None)

    # ---- calls

    def _opened(self, name: str, arguments: str, fd: int) -> None:
        paths = _texts(arguments)
        path = self._watched(paths[0].decode(errors="replace")) if paths else None
        if path is None or "O_DIRECTORY" in arguments:
            return
        file = self._files.get(path)
        if file is None:
            if "O_CREAT" not in arguments and name != "creat":
                return
            file = self._count
            self._count += 1
            self._files[path] = file
            self._lengths[file] = 0
            self.operations.append(FileOperation(Do.CREATE, path, file))
        elif ("O_TRUNC" in arguments or name == "creat") and self._lengths[file]:
            self._truncate(path, file, 0)
        synchronous = "O_SYNC" in arguments or "O_DSYNC" in arguments
        self._open[fd] = _Open(file, synchronous, "O_APPEND" in arguments)
        self._offsets[fd] = 0

    def _written(self, name: str, arguments: str, size: int) -> None:
        fd = _fd(arguments)
        data = b"".join(_texts(arguments[arguments.index(">") :] if ">" in arguments else arguments))[:size]
        opened = self._open.get(fd)
        if opened is None:
            if fd == _STANDARD_OUTPUT:
                self._said(data)
            return
        if name.startswith("pw"):
            numbers = re.findall(r", (-?\d+)", arguments[arguments.rindex('"') :])
            at = int(numbers[1] if name == "pwrite64" else numbers[-1 if name == "pwritev" else -2])
        else:
            at = self._lengths[opened.file] if opened.append else self._offsets[fd]
            self._offsets[fd] = at + len(data)
        self._lengths[opened.file] = max(self._lengths[opened.file], at + len(data))
        path = self._path_of(opened.file)
        self.operations.append(FileOperation(Do.WRITE, path, opened.file, at, data, lasting=opened.synchronous))

    def _said(self, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            match line.split():
                case ["begin", number]:
                    self.operations.append(FileOperation(Do.BEGIN, "", at=int(number)))
                case ["done", number]:
                    self.operations.append(FileOperation(Do.DONE, "", at=int(number)))

    def _synced(self, arguments: str, covers: int) -> None:
        opened = self._open.get(_fd(arguments))
        if opened is not None:
            path = self._path_of(opened.file)
            self.operations.append(FileOperation(Do.SYNC, path, opened.file, covers=covers))
            return
        found = _FD.search(arguments)
        folder = self._watched(_decoded(found[2]).decode(errors="replace")) if found else None
        if folder is not None:
            self.operations.append(FileOperation(Do.SYNC_FOLDER, folder, covers=covers))

    def _renamed(self, arguments: str) -> None:
        old, new = (self._watched(text.decode(errors="replace")) for text in _texts(arguments)[:2])
        if old is None or new is None or old not in self._files:
            return
        file = self._files[new] = self._files.pop(old)
        self.operations.append(FileOperation(Do.RENAME, old, file, to=new))

    def _unlinked(self, arguments: str) -> None:
        path = self._watched(_texts(arguments)[0].decode(errors="replace"))
        if path is not None and path in self._files:
            self.operations.append(FileOperation(Do.UNLINK, path, self._files.pop(path)))

    def _resized(self, name: str, arguments: str) -> None:
        if name == "truncate":
            named = self._watched(_texts(arguments)[0].decode(errors="replace"))
            file = self._files.get(named or "")
        else:
            opened = self._open.get(_fd(arguments))
            file = opened.file if opened else None
        numbers = [int(number) for number in re.findall(r", (\d+)", arguments)]
        if file is None or not numbers or "FALLOC_FL_KEEP_SIZE" in arguments:
            return
        length = sum(numbers[-2:]) if name == "fallocate" else numbers[-1]
        if name != "fallocate" or length > self._lengths[file]:
            self._truncate(self._path_of(file), file, length)

    def _truncate(self, path: str, file: int, length: int) -> None:
        self._lengths[file] = length
        self.operations.append(FileOperation(Do.TRUNCATE, path, file, length))

    def _mapped(self, arguments: str) -> None:
        if "PROT_WRITE" not in arguments or "MAP_SHARED" not in arguments:
            return
        found = _FD.search(arguments)
        path = self._watched(_decoded(found[2]).decode(errors="replace")) if found else None
        if path is not None and not _SCRATCH.fullmatch(PurePosixPath(path).name):
            raise Unrecordable(f"{path} is written through memory, which no system call shows")

    # ---- names

    def _watched(self, path: str) -> str | None:
        """Return a path relative to the watched folder, or None for one that lies elsewhere."""
        if path == self._folder:
            return "."
        return path[len(self._folder) + 1 :] if path.startswith(self._folder + "/") else None

    def _path_of(self, file: int) -> str:
        return next((path for path, named in self._files.items() if named == file), f"(unlinked file {file})")


def _fd(arguments: str) -> int:
    found = re.match(r"\s*(-?\d+)", arguments)
    return int(found[1]) if found else -1


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()


def _texts(arguments: str) -> list[bytes]:
    return [_decoded(text) for text in _TEXT.findall(arguments)]
