"""The states that a file system may leave when the power fails: what must be there, and what may or may not be.

The file system that is assumed is one as POSIX describes it, with what ext4, XFS and Btrfs add: a sync of a file also
keeps the name that it was created or renamed to. A sync of a folder keeps all names in it. Nothing else is promised:
operations that no sync covers are there or not, each for itself, in any combination; a write may be there in part, by
sectors of 512 bytes, or as a length with zeros in the place of the data.

Ext4 and XFS promise more, as they journal names: of the changes to names none is there without those before it. A
store may rely on that (LevelDB does: see `NameOrder`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from stores.power_loss.file_operations import CHANGES, NAMES, Do, FileOperation

SECTOR_BYTES = 512


class NameOrder(StrEnum):
    """What is assumed of names that no sync covers."""

    ANY = "any"
    """Each is there or not: what POSIX promises."""
    KEPT = "kept"
    """Those that are there are the first ones: what ext4 and XFS promise. LevelDB needs it: when it opens a database,
    it removes the old log and doesn't sync the folder between that and the renaming of `CURRENT`."""


@dataclass(frozen=True, slots=True)
class CrashState:
    """The first `length` operations happened, and then the power failed. `lost` says of some what became of them.

    None: nothing of it is there. A tuple of numbers: those sectors of the write; an empty one: only the length.
    """

    length: int
    lost: Mapping[int, tuple[int, ...] | None] = field(default_factory=dict)

    def described(self, operations: Sequence[FileOperation]) -> list[str]:
        """Say what happened, in the words of the operations."""
        lines = []
        for number, left in sorted(self.lost.items()):
            operation = operations[number]
            sectors = -(-len(operation.data) // SECTOR_BYTES)
            what = (
                "lost" if left is None else f"{len(left)} of {sectors} sectors kept" if left else "only its length kept"
            )
            lines.append(f"{number}: {operation}: {what}")
        return [*lines, f"{self.length}: the power fails"]


def pending(operations: Sequence[FileOperation], length: int) -> list[int]:
    """Return which of the first operations no sync covers."""
    waiting: dict[int, FileOperation] = {}
    for number, operation in enumerate(operations[:length]):
        if operation.do in CHANGES and not operation.lasting:
            waiting[number] = operation
        elif operation.do in {Do.SYNC, Do.SYNC_FOLDER}:
            for earlier in [each for each in waiting if each < operation.covers]:
                if _covers(operation, waiting[earlier]):
                    del waiting[earlier]
    return list(waiting)


def _covers(sync: FileOperation, change: FileOperation) -> bool:
    if sync.do is Do.SYNC:
        return change.file == sync.file and change.do is not Do.UNLINK
    folders = {str(PurePosixPath(path).parent) for path in (change.path, change.to) if path}
    return change.do in NAMES and sync.path in folders


def acknowledged(operations: Sequence[FileOperation], length: int) -> tuple[int, int]:
    """Return the last commit that was acknowledged before the power failed, and the last one begun."""
    done = began = 0
    for operation in operations[:length]:
        if operation.do is Do.DONE:
            done = operation.at
        elif operation.do is Do.BEGIN:
            began = operation.at
    return done, began


def drawn(operations: Sequence[FileOperation], draw: random.Random, names: NameOrder = NameOrder.ANY) -> CrashState:
    """Return a random state."""
    length = draw.randint(1, len(operations))
    if draw.random() < 0.3:  # noqa: PLR2004 - often just behind an acknowledgement, which is where it hurts
        places = [number + 1 for number, operation in enumerate(operations) if operation.do is Do.DONE]
        length = draw.choice(places or [length])
    waiting = pending(operations, length)
    style = draw.choice(("all", "names", "data", "one", "few", "half", "torn"))
    lost: dict[int, tuple[int, ...] | None] = {}
    chosen = draw.choice(waiting) if waiting else -1
    for number in waiting:
        is_write = operations[number].do is Do.WRITE
        goes = {
            "all": True,
            "names": not is_write,
            "data": is_write,
            "one": number == chosen,
            "few": draw.random() < 0.2,  # noqa: PLR2004
            "half": draw.random() < 0.5,  # noqa: PLR2004
            "torn": is_write and draw.random() < 0.5,  # noqa: PLR2004
        }[style]
        if goes:
            lost[number] = _left(operations[number], draw, torn=style == "torn")
    if names is NameOrder.KEPT:
        _lose_later_names(operations, waiting, lost)
    return CrashState(length, lost)


def _lose_later_names(
    operations: Sequence[FileOperation], waiting: Sequence[int], lost: dict[int, tuple[int, ...] | None]
) -> None:
    """Lose, behind the first change to a name that is lost, all others too."""
    named = [number for number in waiting if operations[number].do in NAMES]
    first = next((place for place, number in enumerate(named) if number in lost), len(named))
    lost.update(dict.fromkeys(named[first:]))


def keeps_order(operations: Sequence[FileOperation], state: CrashState) -> bool:
    """Say whether no change to a name is there without those before it that no sync covers."""
    named = [number for number in pending(operations, state.length) if operations[number].do in NAMES]
    gone = [number in state.lost for number in named]
    return gone == sorted(gone)


def _left(operation: FileOperation, draw: random.Random, *, torn: bool) -> tuple[int, ...] | None:
    """Return what becomes of an operation that isn't there as a whole."""
    sectors = -(-len(operation.data) // SECTOR_BYTES)
    if operation.do is not Do.WRITE or not (torn or draw.random() < 0.3):  # noqa: PLR2004
        return None
    way = draw.choice(("front", "some", "length"))
    if way == "length":
        return ()
    if way == "front":
        return tuple(range(draw.randrange(sectors))) if sectors else ()
    return tuple(sector for sector in range(sectors) if draw.random() < 0.5)  # noqa: PLR2004


def lay_out(operations: Sequence[FileOperation], state: CrashState, folder: Path) -> None:
    """Write the files of a state into an empty folder."""
    contents: dict[int, bytearray] = {}
    names: dict[str, int] = {}
    for number, operation in enumerate(operations[: state.length]):
        left = state.lost.get(number)
        if operation.do not in CHANGES or (number in state.lost and left is None):
            continue
        data = contents.setdefault(operation.file, bytearray())
        match operation.do:
            case Do.CREATE:
                names[operation.path] = operation.file
            case Do.WRITE:
                _write(data, operation, left)
            case Do.TRUNCATE:
                data[operation.at :] = bytes(max(operation.at - len(data), 0))
            case Do.RENAME if names.get(operation.path) == operation.file:
                names[operation.to] = names.pop(operation.path)
            case Do.RENAME:  # the name that it had before isn't there: only the new one is
                names[operation.to] = operation.file
            case Do.UNLINK if names.get(operation.path) == operation.file:
                del names[operation.path]
    for path, file in names.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(contents.get(file, b""))


def _write(data: bytearray, operation: FileOperation, left: tuple[int, ...] | None) -> None:
    end = operation.at + len(operation.data)
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    if left is None:
        data[operation.at : end] = operation.data
        return
    for sector in left:
        start = sector * SECTOR_BYTES
        part = operation.data[start : start + SECTOR_BYTES]
        data[operation.at + start : operation.at + start + len(part)] = part
