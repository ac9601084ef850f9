"""The file of an export: JSON lines, one a resource, between a line that begins it and one that ends it.

People and other tools read it; `stores/backup` has the file of a server's backup, which keeps positions and increments.

The last line says how many resources there are, and has the SHA-256 of all lines before it: a file that was cut at a
line's end, or is empty, isn't taken for a small backup. All lines have the same columns, so that
`sqlite-utils insert x.db rows FILE --nl` takes the file; its first and last line are of the kind `parity.export`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from google.protobuf.message import DecodeError, Message

from stores.codecs import JsonNativeCodec, Undecodable
from stores.contract import InvalidOperation, Put, Record, StoreError
from stores.schema import KINDS

FORMAT = 1
_FRAME = "parity.export"
_JSON = JsonNativeCodec()


class BadExport(StoreError):
    """A file isn't a backup of ours, or is damaged. Says which line."""

    hint = "was the file made by `parity stores export`, and whole? `--partial` takes what can be read of it"


@dataclass
class Missing:
    """What a partial restore found wrong with its file, in sentences."""

    found: list[str] = field(default_factory=list)


def write_export(records: Iterable[Record], path: Path, *, force: bool) -> int:
    """Write a backup and return how many resources are in it.

    The file takes its place once it is complete, synced and read back; with `force` also an earlier file's. Raises
    BadExport, OSError, and what the records raise: then nothing is there but what was before.
    """
    check_place(path, force=force)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            done = _write(records, file)
            file.flush()
            os.fsync(file.fileno())
        _check_frame(partial)
        check_place(path, force=force)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return done


def check_place(path: Path, *, force: bool) -> None:
    """Raise BadExport if something is at the path that may not be replaced."""
    if not os.path.lexists(path):
        if not path.parent.is_dir():
            raise BadExport(f"there is no folder {path.parent}", hint="make it, or choose another path")
        return
    if not path.is_file():
        raise BadExport(f"{path} is there already, and is no file", hint="choose another path")
    if not force:
        raise BadExport(f"{path} is there already", hint="choose another path, or replace it with --force")


def _write(records: Iterable[Record], file: BinaryIO) -> int:
    begin = _frame("begin", {"format": FORMAT})
    file.write(begin)
    digest, done = hashlib.sha256(begin), 0
    for record in records:
        line = line_of(record) + b"\n"
        digest.update(line)
        file.write(line)
        done += 1
    file.write(_frame("end", {"resources": done, "sha256": digest.hexdigest()}))
    return done


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _frame(name: str, message: dict[str, object]) -> bytes:
    return orjson.dumps(_row(_FRAME, name, 0, 0, message, None)) + b"\n"


def _row(kind: str, id: str, position: int, revision: int, message: object, wire: str | None) -> dict[str, object]:  # noqa: A002
    return {"kind": kind, "id": id, "position": position, "revision": revision, "message": message, "wire": wire}


def line_of(record: Record) -> bytes:
    """Return a resource as one line of JSON, without the line end."""
    message_type = KINDS[record.kind].message_type
    message = message_type.FromString(record.data)
    exact = False
    readable: Any = None
    try:
        stored = _JSON.encode(message, record.data)
        readable = orjson.loads(stored)
        exact = _JSON.wire(message_type, stored) == record.data
    except (InvalidOperation, Undecodable):
        readable = None  # an Any of an unknown type, for example: the wire bytes tell all
    wire = None if exact else base64.b64encode(record.data).decode()
    return orjson.dumps(_row(record.kind, record.id, record.position, record.revision, readable, wire))


# ---- reading


def read_export(path: Path) -> Iterator[Put]:
    """Yield the resources of a file that was read through and found whole first. Raises BadExport, OSError."""
    resources = check_export(path)
    return (_put_of(line, number) for number, line in _resource_lines(path, resources))


def check_export(path: Path) -> int:
    """Read a file through and return how many resources it holds. Raises BadExport unless all is right; OSError."""
    resources = _check_frame(path)
    for number, line in _resource_lines(path, resources):
        _put_of(line, number)
    return resources


def _resource_lines(path: Path, resources: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if 1 < number <= resources + 1:
                yield number, line


def read_partly(path: Path, missing: Missing) -> Iterator[Put]:
    """Yield the resources of a file that can be read, and note what is missing. Raises OSError."""
    told, done, number = None, 0, 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            frame = _frame_of(line)
            if frame is not None:
                told = frame[1].get("resources", told)
                continue
            try:
                put = _put_of(line, number)
            except BadExport as error:
                missing.found.append(str(error))
                continue
            done += 1
            yield put
    if told is None:
        missing.found.append(f"the file ends after line {number}, before its last line: what came behind isn't known")
    elif told != done:
        missing.found.append(f"{told} resources were written to the file, and {done} can be read")


def _check_frame(path: Path) -> int:
    """Read a file through and return how many resources it holds. Raises BadExport unless it is whole; OSError."""
    digest, number, end = hashlib.sha256(), 0, None
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if end is not None:
                raise BadExport(f"{path}: line {number} stands behind the end")
            frame = _frame_of(line) if number == 1 or _FRAME.encode() in line else None
            if number == 1:
                _check_first(path, frame)
            elif frame is not None:
                end = frame
                continue
            digest.update(line)
    if number == 0:
        raise BadExport(f"{path} is empty", hint="a backup has a first and a last line even of an empty store")
    if end is None:
        raise BadExport(f"{path} ends after line {number}, before its last line: it was cut")
    resources = number - 2
    if end[0] != "end" or end[1].get("resources") != resources:
        raise BadExport(f"{path} has {resources} resources, and its last line says {end[1].get('resources')}")
    if end[1].get("sha256") != digest.hexdigest():
        raise BadExport(f"{path} was changed: its lines haven't the digest that its last line says")
    return resources


def _check_first(path: Path, frame: tuple[str, dict[str, Any]] | None) -> None:
    if frame is None or frame[0] != "begin":
        raise BadExport(f"{path}: line 1 doesn't begin a backup")
    if frame[1].get("format") != FORMAT:
        raise BadExport(
            f"{path} has format {frame[1].get('format')}; this program reads format {FORMAT}",
            hint="import it with the release that wrote it",
        )


def _frame_of(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """Return name and message of a line that begins or ends a backup, or None."""
    try:
        row = orjson.loads(line)
        is_frame = line.endswith(b"\n") and row["kind"] == _FRAME and isinstance(row["message"], dict)
        return (row["id"], row["message"]) if is_frame else None
    except (ValueError, KeyError, TypeError):
        return None


def _put_of(line: bytes, number: int) -> Put:
    """Return what creates a line's resource. Raises BadExport."""
    try:
        row = orjson.loads(line)
        kind, id_, wire = row["kind"], row["id"], row.get("wire")
        message_type = KINDS[kind].message_type
        if wire is None:
            put = Put(kind, id_, _JSON.message(message_type, orjson.dumps(row["message"])), "absent")
        else:
            data = base64.b64decode(wire, validate=True)
            put = Put(kind, id_, message_type.FromString(data), "absent", data=data)
    except (ValueError, KeyError, TypeError, AttributeError, Undecodable, DecodeError, binascii.Error) as error:
        reason = f"unknown kind {error}" if isinstance(error, KeyError) else str(error)
        raise BadExport(f"line {number} is no resource: {reason}") from error
    own = _id_of(put.message)
    if own not in {"", id_}:
        raise BadExport(f"line {number}: the row's id is {id_!r}, but its message's is {own!r}")
    return put


def _id_of(message: Message | None) -> str:
    """Return the id that a message says it has, or "" where it says none."""
    holder = getattr(message, "metadata", message)
    return str(getattr(holder, "id", ""))
