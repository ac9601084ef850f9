"""How ids and index keys stand in the tables: as they are, or as their digest where an index couldn't hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson

from stores.contract import IndexKey, Keys

_INDEXED_BYTES_MAX = 1024
"""An entry of a PostgreSQL index holds some 2,700 bytes."""
_WHOLE, _DIGEST = b"=", b"#"


def name_of(id_: str) -> bytes:
    """Return what stands for an id."""
    raw = id_.encode()
    return _WHOLE + raw if len(raw) <= _INDEXED_BYTES_MAX else _DIGEST + hashlib.sha256(raw).digest()


def long_id_of(id_: str) -> bytes:
    """Return an id that its name doesn't hold; empty if it does."""
    raw = id_.encode()
    return b"" if len(raw) <= _INDEXED_BYTES_MAX else raw


def id_of(name: bytes, long_id: bytes | None) -> str:
    """Return the id of a row."""
    return (name[1:] if long_id is None else long_id).decode()


def key_bytes(key: IndexKey) -> bytes:
    """Return what stands for an index key: a JSON array, which begins with another byte than a digest."""
    raw = orjson.dumps(key)
    return raw if len(raw) <= _INDEXED_BYTES_MAX else _DIGEST + hashlib.sha256(raw).digest()


def key_list_bytes(keys: Keys) -> bytes:
    """Return a resource's index keys as its row holds them."""
    return orjson.dumps(keys)


def read_key_list(raw: bytes) -> Keys:
    """Return a resource's index keys. Raises ValueError, TypeError."""
    pairs: Iterable[tuple[str, list[str]]] = orjson.loads(raw)
    return tuple((index, tuple(key)) for index, key in pairs)
