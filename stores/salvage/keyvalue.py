"""From rows of the key-value layout to resources, and to the names of those that should be there."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import orjson
from google.protobuf.message import DecodeError

from stores.codecs import CODECS, Codec, Undecodable, codec_of
from stores.contract import FormatMismatch
from stores.integrity.check import own_id
from stores.integrity.keyvalue import spans_of
from stores.keyvalue import layout
from stores.salvage.pile import Pile, Taken
from stores.schema import Kind, Schema


def sort_rows(pile: Pile, codec: str, schema: Schema) -> None:
    """Find the resources among the rows of a pile. `codec` is taken if the meta row can't be read."""
    chosen = codec_of(_codec_name(pile) or codec)
    for kind in schema.values():
        _take_records(pile, chosen, kind)
        for id_ in _named(pile, layout.KindLayout(kind)):
            pile.name(kind.name, id_.decode(errors="backslashreplace"))
    try:
        counts = layout.read_state(pile.row(layout.STATE_KEY)).counts
    except (FormatMismatch, IndexError):
        return
    for name, number in counts.items():
        pile.note_count(name, number)


def _codec_name(pile: Pile) -> str | None:
    try:
        name = orjson.loads(pile.row(layout.META_KEY) or b"")["codec"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return name if name in CODECS else None


def _take_records(pile: Pile, codec: Codec, kind: Kind) -> None:
    layouts = layout.KindLayout(kind)
    front = len(layouts.records[0])
    for key, value in pile.rows(*layouts.records):
        raw = key[front:]
        shown = raw.hex() if raw.startswith(layout.HASHED) else raw.decode(errors="backslashreplace")
        if value is None:
            pile.note_removed(kind.name, shown)
            continue
        try:
            data = codec.wire(kind.message_type, layout.message_of(value))
            named = own_id(kind.message_type.FromString(data))
        except (layout.Damaged, Undecodable, DecodeError) as error:
            pile.note_unreadable(kind.name, shown, str(error))
            continue
        pile.add(Taken(kind.name, named or shown, *layout.numbers_of(value), data))


def _named(pile: Pile, layouts: layout.KindLayout) -> Iterator[bytes]:
    """Yield the ids that the order of creation and the indexes name."""
    spans = spans_of(layouts)
    for key, value in pile.rows(*spans.order):
        try:
            yield from (id_ for _, id_ in layout.unpack_ordered(key, value or b""))
        except (layout.Damaged, struct.error):
            continue
    for name, span in spans.indexes.items():
        is_unique = layouts.indexes[name].unique
        for _, value in pile.rows(*span):
            if value:
                yield value[8:] if is_unique else value
    for span in spans.counts.values():
        for _, value in pile.rows(*span):
            single = layout.single_of(value)
            if single and single[1]:
                yield single[1]
