"""Decompresses snappy (https://github.com/google/snappy/blob/main/format_description.txt).

The stream says how long the text is, so it is known where a stream ends that stands among other bytes.
"""

from __future__ import annotations

from stores.salvage.versions import Damaged, varint

TEXT_BYTES_MAX = 64 * 1024 * 1024
"""Longer than any block that an engine here writes: a number beyond it is damage."""
_LITERAL_LONG = 60
"""From this number on, the length of a literal stands in the bytes that follow."""


def decompress(data: bytes, at: int = 0) -> tuple[bytes, int]:
    """Return the text of the stream that begins at a place, and where the stream ends. Raises Damaged."""
    size, at = varint(data, at)
    if size > TEXT_BYTES_MAX:
        raise Damaged(f"a text of {size} bytes")
    text = bytearray()
    while len(text) < size:
        if at >= len(data):
            raise Damaged("the stream ends too early")
        tag = data[at]
        at += 1
        at = (_copy if tag & 3 else _literal)(data, tag, at, text)
    if len(text) > size:
        raise Damaged("the text is longer than it says")
    return bytes(text), at


def _literal(data: bytes, tag: int, at: int, text: bytearray) -> int:
    length = tag >> 2
    if length >= _LITERAL_LONG:
        extra = length - _LITERAL_LONG + 1
        length = int.from_bytes(data[at : at + extra], "little")
        at += extra
    end = at + length + 1
    if end > len(data):
        raise Damaged("a literal ends behind the data")
    text += data[at:end]
    return end


def _copy(data: bytes, tag: int, at: int, text: bytearray) -> int:
    if tag & 3 == 1:
        length, width, high = (tag >> 2 & 7) + 4, 1, (tag >> 5) << 8
    else:
        length, width, high = (tag >> 2) + 1, 2 if tag & 3 == 2 else 4, 0  # noqa: PLR2004 - the format's tags
    back = int.from_bytes(data[at : at + width], "little") | high
    if not 0 < back <= len(text):
        raise Damaged("a copy from before the text")
    start = len(text) - back
    for place in range(start, start + length) if back < length else ():
        text.append(text[place])
    if back >= length:
        text += text[start : start + length]
    return at + width
