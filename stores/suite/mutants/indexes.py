"""Stores whose indexes lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from stores.contract import (
    Batch,
    Conflict,
    IndexKey,
    Record,
)
from stores.memory import Draft, MemoryStore, Name


class IgnoresUnique(MemoryStore):
    """Lets two resources have one unique key."""

    def _check_unique(self, draft: Draft) -> None:
        pass


class JoinsKeyParts(MemoryStore):
    """Puts U+001F between the parts of a unique key."""

    def _check_unique(self, draft: Draft) -> None:
        super()._check_unique(draft)
        taken: dict[tuple[str, str, str], str] = {}
        for (kind, id_), kept in {**self._kept, **draft}.items():
            for index, key in kept.keys if kept is not None else ():
                holder = taken.setdefault((kind, index, "\x1f".join(key)), id_)
                if holder != id_ and index in self._schema[kind].unique:
                    raise Conflict(kind, key, holder, index=index)


class JudgesUniqueTooEarly(MemoryStore):
    """Judges unique keys against the state before the batch, so that keys can't be handed over."""

    def _check_unique(self, draft: Draft) -> None:
        for name, kept in draft.items():
            super()._check_unique({name: kept})
        super()._check_unique(draft)


class ForgetsIndexOnDelete(MemoryStore):
    """Leaves the index entries of a removed resource."""

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """See `Store`."""
        found = super().find(kind, index, key)
        gone: str | None = self._gone.get((kind, index, key))
        return found or gone

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        before = dict(self._kept)
        answer = super().commit(batch)
        for (kind, id_), kept in before.items():
            if (kind, id_) not in self._kept:
                self._gone.update({(kind, index, key): id_ for index, key in kept.keys})
        return answer

    @property
    def _gone(self) -> dict[tuple[str, str, IndexKey], str]:
        gone: dict[tuple[str, str, IndexKey], str] = self.__dict__.setdefault("_gone_entries", {})
        return gone


class KeepsOldIndexOnUpdate(MemoryStore):
    """An update adds the new index entries and leaves the old ones."""

    def _insert(self, name: Name, kept: Any) -> None:  # noqa: ANN401 - the memory store's own record
        ever = self.__dict__.setdefault("_ever", {})
        old = [key for key in ever.get(name, ()) if key not in kept.keys and key[0] not in ("slug_key", "tuple")]
        ever[name] = (*kept.keys, *old)
        super()._insert(name, replace(kept, keys=(*kept.keys, *old)))

    def _remove(self, name: Name) -> None:
        super()._remove(name)


class LeaksKeyPrefix(MemoryStore):
    """Lists by the beginning of a key: organization ns1 sees what ns10 has."""

    def scan(self, kind: str, **rest: Any) -> Iterator[Record]:  # noqa: ANN401 - as `Store`
        """See `Store`."""
        index, key = rest.get("index"), rest.get("key")
        if index is None or key is None or not super().count(kind, index=index, key=key):
            return super().scan(kind, **rest)
        keys = [k for of, name, k in self._entries if (of, name) == (kind, index) and k[-1].startswith(key[-1])]
        rest.pop("key")
        found = {r.position: r for k in sorted(keys) for r in super(LeaksKeyPrefix, self).scan(kind, key=k, **rest)}
        return iter([found[position] for position in sorted(found)])


class CountsCreatesOnly(MemoryStore):
    """Its count of a kind never falls."""

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """See `Store`."""
        now = super().count(kind, index=index, key=key)
        highest: dict[object, int] = self.__dict__.setdefault("_highest", {})
        highest[kind, index, key] = max(now, highest.get((kind, index, key), 0))
        return highest[kind, index, key]
