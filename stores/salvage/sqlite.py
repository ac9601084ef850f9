"""From the rows on an SQLite file's pages to resources, and to the names of those that should be there.

Rows are told apart by their shape, so that the table of tables need not be readable.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from stores.codecs import CODECS, Codec, Undecodable, codec_of
from stores.format import checksum_of
from stores.integrity.check import own_id
from stores.salvage.pile import Pile, Taken
from stores.salvage.sqlite_pages import Image, Row, Value
from stores.salvage.versions import Area, Damaged, bytes_of
from stores.schema import Schema

_RESOURCE_COLUMNS, _ENTRY_COLUMNS, _COUNT_COLUMNS, _INDEX_COLUMNS, _META_COLUMNS = 7, 5, 4, 3, 2


def read_sqlite(file: Path, areas: list[Area]) -> Image:
    """Return the pages of a database; areas are appended that can't be read."""
    wal = file.with_name(file.name + "-wal")
    wal_bytes = bytes_of(wal, areas) if wal.exists() else b""
    return Image(file.name, bytes_of(file, areas), wal.name, wal_bytes, areas)


def sort_pages(image: Image, pile: Pile, codec: str, schema: Schema, areas: list[Area]) -> None:
    """Find the resources on the pages of a database. `codec` is taken if the database doesn't say which it has."""
    chosen = codec_of(_codec_name(image) or codec)
    for row in live_rows(image):
        if isinstance(row, Area):
            areas.append(row)
        elif len(row.values) == _RESOURCE_COLUMNS:
            _take(pile, chosen, schema, row, areas)
        else:
            _note(pile, schema, row.values)
    for page in image.loose:
        for row in image.rows(page):
            if not isinstance(row, Area) and len(row.values) == _RESOURCE_COLUMNS:
                _take(pile, chosen, schema, row, None)


def live_rows(image: Image) -> Iterator[Row | Area]:
    """Yield all rows of the newest state."""
    free = image.free()
    for number, page in image.pages.items():
        if number not in free:
            yield from image.rows(page)


def _codec_name(image: Image) -> str | None:
    for row in live_rows(image):
        if not isinstance(row, Area) and len(row.values) == _META_COLUMNS and row.values[0] == "codec":
            name = row.values[1]
            return name if isinstance(name, str) and name in CODECS else None
    return None


def resource_of(row: Row, codec: Codec, schema: Schema) -> Taken:
    """Return the resource of a row. Raises Damaged."""
    _, kind, id_, revision, _, checksum, data = row.values
    stored = data.encode(errors="surrogateescape") if isinstance(data, str) else data
    if kind not in schema or not isinstance(stored, bytes) or not isinstance(revision, int):
        raise Damaged("its columns are wrong")
    if checksum_of(stored) != checksum:
        raise Damaged("its checksum doesn't match")
    try:
        wire = codec.wire(schema[str(kind)].message_type, stored)
        named = own_id(schema[str(kind)].message_type.FromString(wire))
    except (Undecodable, DecodeError) as error:
        raise Damaged(str(error)) from error
    return Taken(str(kind), named or str(id_), row.number, revision, wire)


def _take(pile: Pile, codec: Codec, schema: Schema, row: Row, areas: list[Area] | None) -> None:
    try:
        pile.add(resource_of(row, codec, schema))
    except Damaged as damage:
        if areas is None:
            return
        kind, id_ = row.values[1:3]
        if kind in schema and isinstance(id_, str):
            pile.note_unreadable(str(kind), _shown(id_), str(damage))
        else:
            areas.append(Area(row.places[-1], f"a resource whose kind and id are unknown: {damage}"))


def _note(pile: Pile, schema: Schema, values: tuple[Value, ...]) -> None:
    """Note what a row of an index, or of the counts, says of resources."""
    kind = values[0] if values else None
    if not isinstance(kind, str) or kind not in schema:
        return
    if len(values) == _ENTRY_COLUMNS and isinstance(values[4], str):
        pile.name(kind, _shown(values[4]))
    elif len(values) == _INDEX_COLUMNS and isinstance(values[1], str):
        pile.name(kind, _shown(values[1]))
    elif len(values) == _COUNT_COLUMNS and not values[1] and isinstance(values[3], int):
        pile.note_count(kind, values[3])


def _shown(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
