"""The rules of a commit that need no more than one operation and what is stored under its id.

`memory.py` states them a second time, on purpose, so that one can judge the other.
"""

from __future__ import annotations

from typing import NamedTuple

from stores.codecs import Codec
from stores.contract import POSITION_MAX, Conflict, Delete, InvalidOperation, Keys, Put, RevisionConflict
from stores.schema import Kind

NUMBER_MAX = 2**63 - 1
"""The largest number that every driver takes."""


class Held(NamedTuple):
    """What a commit needs to know of a stored resource; its message need not be decoded for it."""

    position: int
    revision: int
    keys: Keys


def keys_of(kind: Kind, put: Put) -> Keys:
    """Return the index keys of what is put, each once."""
    keys = tuple(kind.entries(put.message)) if put.keys is None else put.keys
    return keys if len(keys) == len(set(keys)) else tuple(dict.fromkeys(keys))


def check_preconditions(operation: Put | Delete, held: Held | None) -> None:
    """Raise Conflict or RevisionConflict if what is stored isn't what the operation expects."""
    if operation.precondition != "any":
        if operation.precondition == "absent":
            if held is not None:
                raise Conflict(operation.kind, operation.id, operation.id)
        elif operation.precondition != "present":
            raise InvalidOperation(
                f"unknown precondition {operation.precondition!r}; there are: any, absent, present",
            )
        elif held is None:
            raise Conflict(operation.kind, operation.id, None)
    if operation.expect is not None and (held is None or held.revision != operation.expect):
        raise RevisionConflict(operation.kind, operation.id, operation.id if held else None)


def next_position(put: Put, last: int) -> int:
    """Return the position of a resource that is created. Raises InvalidOperation for one that was given out before."""
    if put.position is None:
        return last + 1
    if put.position <= last:
        raise InvalidOperation(
            f"{put.kind} {put.id!r} can't have position {put.position}: {last} was given out",
            hint="restore into a new store, in the order of the positions",
        )
    return put.position


def bounded(after: int, limit: int | None) -> tuple[int, int | None]:
    """Return the cursor and the limit of a listing as numbers that every driver takes, and that mean the same."""
    return min(max(after, 0), NUMBER_MAX), None if limit is None else min(max(limit, 0), NUMBER_MAX)


def encoded(codec: Codec, kind: Kind, put: Put) -> bytes:
    """Return what a codec makes of what is put. Raises InvalidOperation."""
    if put.message is None and put.data is not None:
        return codec.encode_wire(kind.message_type, put.data)
    return codec.encode(put.message, put.data)  # type: ignore[arg-type] # `check_put` let it pass


def check_put(kind: Kind, operation: Put) -> None:
    """Raise InvalidOperation for an id that no store keeps, a message of another type, or keys that can't be."""
    check_id(kind.name, operation.id)
    if operation.position is not None and operation.position > POSITION_MAX:
        raise InvalidOperation(
            f"{kind.name} {operation.id!r} can't have position {operation.position}: it is too large"
        )
    for index, key in operation.keys or ():
        check_key(kind.index(index).name, key)
    if operation.message is None and operation.data is not None and operation.keys is not None:
        return
    if not isinstance(operation.message, kind.message_type):
        expected = kind.message_type.DESCRIPTOR.full_name
        raise InvalidOperation(
            f"{kind.name} {operation.id!r}: the message is no {expected}",
            hint="a put needs the message, or else both its wire bytes and its index keys",
        )


def check_id(kind: str, id: str) -> None:  # noqa: A002
    """Raise InvalidOperation for an id that no store keeps: empty, or with a lone surrogate."""
    if not id:
        raise InvalidOperation(f"{kind}: the id is empty")
    if not id.isascii():
        check_text(f"{kind}: the id", id)


def check_key(index: str, key: object) -> None:
    """Raise InvalidOperation for what can't be an index key: no tuple, empty, or with a lone surrogate."""
    if not isinstance(key, tuple) or len(key) == 0:
        raise InvalidOperation(f"index {index!r}: a key is a tuple of one or more strings, not {key!r}")
    for part in key:
        if not isinstance(part, str):
            raise InvalidOperation(f"index {index!r}: the parts of a key are strings, not {part!r}")
        if not part.isascii():
            check_text(f"index {index!r}: the key", part)


def check_text(what: str, text: str) -> None:
    """Raise InvalidOperation if a text can't be written as UTF-8 (it holds half of a surrogate pair)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidOperation(f"{what} {text!r} is no valid Unicode: it has a lone surrogate") from None
