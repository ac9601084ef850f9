"""The answers of gets that were given lately, so that what is asked again and again is found in one step.

An answer is known under the very bytes of its request, with the callers who may have it. It is forgotten when a write
of its resource begins, and not learned again before that write has ended, so nobody is told an older state after
somebody was told a newer one; when a policy is removed, all of them are. A server is the only writer of its store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reference_server.kinds import IAM_POLICY
from stores.contract import Delete, Operation, Put

BYTES_MAX = 32 * 1024 * 1024
ANSWER_BYTES_MAX = 256 * 1024
"""Larger ones would push out too many others."""
_ENTRY_BYTES, _CALLER_BYTES = 500, 150
"""What an entry takes beside its answer, and what each further caller takes."""
TAG_OF_ID = 1 << 3 | 2
"""How field 1, a text, begins on the wire."""
ID_BYTES_MAX = 127
"""Longer ids have a length of two bytes."""

Key = tuple[str, bytes]
Known = tuple[bytes, set[str]]


def request_of(id_: str) -> bytes:
    """Return the bytes of a request that is an id in field 1; right for ids of up to 127 bytes."""
    raw = id_.encode()
    return bytes((TAG_OF_ID, len(raw) & ID_BYTES_MAX)) + raw


class Answers:
    """Answers by kind and request, at most so many bytes of them."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._known: dict[Key, Known] = {}
        self._changing: Counter[Key] = Counter()
        """What is being written, by how many."""
        self._revoking = 0
        """How many writes under way remove a policy."""

    def find(self, kind: str, request: bytes, caller_id: str) -> bytes | None:
        """Return the answer if it is known and this caller may have it.

        What isn't found is to be learned under the same conditions only, so an answer that is known to somebody is
        never another one for somebody else.
        """
        known = self._known.get((kind, request))
        return known[0] if known is not None and caller_id in known[1] else None

    def learn(self, kind: str, request: bytes, caller_id: str, answer: bytes) -> None:
        """Remember what a caller was rightly answered just now."""
        key = (kind, request)
        if self._revoking or key in self._changing or len(answer) > ANSWER_BYTES_MAX:
            return
        known = self._known.get(key)
        if known is None:
            self._known[key] = (answer, {caller_id})
            self._bytes += len(answer) + _ENTRY_BYTES + _CALLER_BYTES
        else:
            known[1].add(caller_id)
            self._bytes += _CALLER_BYTES
        while self._bytes > self._bytes_max:
            self._forget(next(iter(self._known)))

    @contextmanager
    def during(self, batch: Sequence[Operation]) -> Iterator[None]:
        """Know nothing of what a batch changes while it is committed; to be left when the write has ended."""
        keys, revokes = _changed_by(batch)
        self._changing.update(keys)
        self._revoking += revokes
        for key in keys:
            self._forget(key)
        if revokes:
            self._known.clear()
            self._bytes = 0
        try:
            yield
        finally:
            self._revoking -= revokes
            self._changing.subtract(keys)
            for key in keys:
                if not self._changing[key]:
                    del self._changing[key]

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self._bytes -= len(known[0]) + _ENTRY_BYTES + len(known[1]) * _CALLER_BYTES


def _changed_by(batch: Sequence[Operation]) -> tuple[list[Key], int]:
    """Return what a batch rewrites or removes, and whether (1 or 0) a policy is among it."""
    keys = [(each.kind, request_of(each.id)) for each in batch if isinstance(each, Put | Delete)]
    revokes = any(isinstance(each, Delete) and each.kind == IAM_POLICY.name for each in batch)
    return keys, int(revokes)
