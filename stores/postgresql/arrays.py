"""Columns of a write as PostgreSQL arrays in its binary format, each always of the same type.

psycopg's own lists take the narrowest type that holds their values, so that a statement would be prepared anew for
each combination of types; and an empty list has none.
"""

from __future__ import annotations

import struct

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">5i")
_LENGTH = struct.Struct(">i")
_LONG = struct.Struct(">iq")
_BYTES_TYPE, _TEXT_TYPE, _LONG_TYPE = 17, 25, 20
_LONG_BYTES = 8


class Blobs(list[bytes]):
    """A column of bytes (`bytea[]`)."""


class Texts(list[str]):
    """A column of texts (`text[]`)."""


class Longs(list[int]):
    """A column of 64-bit integers (`bigint[]`)."""


class _BlobsDumper(Dumper):
    format = Format.BINARY
    oid = 1001

    def dump(self, obj: Blobs) -> Buffer:
        return _packed(_BYTES_TYPE, obj)


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = 1009

    def dump(self, obj: Texts) -> Buffer:
        return _packed(_TEXT_TYPE, [text.encode() for text in obj])


class _LongsDumper(Dumper):
    format = Format.BINARY
    oid = 1016

    def dump(self, obj: Longs) -> Buffer:
        return _header(_LONG_TYPE, len(obj)) + b"".join([_LONG.pack(_LONG_BYTES, number) for number in obj])


def register(context: AdaptContext) -> None:
    """Let a connection take these columns as parameters."""
    context.adapters.register_dumper(Blobs, _BlobsDumper)
    context.adapters.register_dumper(Texts, _TextsDumper)
    context.adapters.register_dumper(Longs, _LongsDumper)


def _header(element_type: int, length: int) -> bytes:
    return _HEADER.pack(1, 0, element_type, length, 1)


def _packed(element_type: int, items: list[bytes]) -> bytes:
    parts = [_header(element_type, len(items))]
    for item in items:
        parts += (_LENGTH.pack(len(item)), item)
    return b"".join(parts)
