"""Wire bytes of messages of which only a few texts differ: written by protobuf once, filled in after that.

A create writes five policies and two events beside the resource, all of them alike but for ids. To make a message
takes protobuf's runtime some ten calls each; to join the pieces around the ids takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.message import Message

_CUTS_MAX = 256
"""Ids come in few lengths, unless clients choose them."""
_VARINT_BITS = 7


class WireTemplate:
    """The wire bytes of a message with holes: text fields, given by their paths in the order of the wire."""

    def __init__(self, message: Message, *holes: str) -> None:
        """`holes` are dotted paths, as in `spec.principal.id`; what the message has there doesn't count."""
        self._message = message
        self._holes = [path.split(".") for path in holes]
        self._cuts: dict[tuple[int, ...], list[bytes]] = {}

    def fill(self, *texts: bytes) -> bytes:
        """Return the message's bytes with these texts, in UTF-8, in its holes. An empty one stands for no field."""
        lengths = tuple(map(len, texts))
        filled = (self._cuts.get(lengths) or self._cut(lengths)).copy()
        filled[1::2] = texts
        return b"".join(filled)

    def _cut(self, lengths: tuple[int, ...]) -> list[bytes]:
        """Return what stands before, between and behind holes of these lengths, and something in their places.

        Protobuf writes the message once more for each hole, with another letter in it: where they differ, there it is.
        Raises ValueError if the holes aren't in the order of the wire.
        """
        texts = ["a" * length for length in lengths]
        whole, at = self._written(texts), 0
        pieces: list[bytes] = []
        for number, length in enumerate(lengths):
            start = at
            if length:
                other = self._written([*texts[:number], "b" * length, *texts[number + 1 :]])
                start = next(place for place, (one, two) in enumerate(zip(whole, other, strict=True)) if one != two)
            if start < at:
                raise ValueError(f"hole {'.'.join(self._holes[number])} stands before the one that is given before it")
            pieces += (whole[at:start], whole[start : start + length])
            at = start + length
        pieces.append(whole[at:])
        if len(self._cuts) >= _CUTS_MAX:
            self._cuts.clear()
        self._cuts[lengths] = pieces
        return pieces

    def _written(self, texts: Sequence[str]) -> bytes:
        message = type(self._message)()
        message.CopyFrom(self._message)
        for path, text in zip(self._holes, texts, strict=True):
            place: Any = message
            for name in path[:-1]:
                place = getattr(place, name)
            setattr(place, path[-1], text)
        return message.SerializeToString()


@lru_cache(maxsize=4096)
def begin(field_number: int, length: int) -> bytes:
    """Return how a field of so many bytes, a message or bytes or a text, begins on the wire: its tag, its length."""
    return _varint(field_number << 3 | 2) + _varint(length)


def _varint(number: int) -> bytes:
    """Return a number as the wire has it: seven bits a byte, the lowest first, each but the last marked."""
    written = bytearray()
    while number >> _VARINT_BITS:
        written.append(number & 0x7F | 0x80)
        number >>= _VARINT_BITS
    return bytes((*written, number))
