"""Wrong stores of operators: rows of an index that are missing, old, late or looked up loosely."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sortedcontainers import SortedDict

from stores.contract import Batch, Conflict, IndexKey, Record
from stores.memory import Draft, MemoryStore, Name
from stores.suite.mutants.kept import Kept, Loosen, Made, place_of


class _Indexing(Kept):
    """Changes the index keys that a resource is kept under."""

    place: tuple[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.removed: dict[Name, Any] = {}

    def commit(self, batch: Batch) -> int:
        """See `Store`."""
        try:
            return super().commit(batch)
        finally:
            self.after_commit()

    def after_commit(self) -> None:
        """Do what is done at the end of a commit."""

    def _remove(self, name: Name) -> None:
        if name in self._kept:
            self.removed[name] = self._kept[name]
        super()._remove(name)

    def _insert(self, name: Name, kept: Any) -> None:  # noqa: ANN401 - the memory store's own records
        super()._insert(name, replace(kept, keys=self.keys_of(name, kept)) if name[0] == self.place[0] else kept)

    def keys_of(self, name: Name, kept: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        """Return the keys that a resource is kept under."""
        raise NotImplementedError

    def _old(self, name: Name) -> tuple[Any, ...]:
        old = self.removed.pop(name, None)
        return tuple(key for key in old.keys if key[0] == self.place[1]) if old is not None else ()


def _indexing(store: type[_Indexing], where: str) -> Made:
    made = store()
    made.place = place_of(where)
    return made


class _Missing(_Indexing):
    def keys_of(self, name: Name, kept: Any) -> Any:  # noqa: ANN401, ARG002 - as `_Indexing`
        return tuple(key for key in kept.keys if key[0] != self.place[1])


class _Stale(_Indexing):
    def keys_of(self, name: Name, kept: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        return (*kept.keys, *(key for key in self._old(name) if key not in kept.keys))

    def after_commit(self) -> None:
        self.removed.clear()


class _Revived(_Indexing):
    def __init__(self) -> None:
        super().__init__()
        self.gone: dict[Name, Any] = {}

    def keys_of(self, name: Name, kept: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        self.removed.pop(name, None)
        old = self.gone.pop(name, None)
        rows = tuple(key for key in old.keys if key[0] == self.place[1]) if old is not None else ()
        return (*kept.keys, *(key for key in rows if key not in kept.keys))

    def after_commit(self) -> None:
        self.gone.update(self.removed)
        self.removed.clear()


class _Late(_Indexing):
    def __init__(self) -> None:
        super().__init__()
        self.late: dict[Name, Any] = {}
        self.is_catching_up = False

    def commit(self, batch: Batch) -> int:
        with self._lock:
            late, self.late, self.is_catching_up = self.late, {}, True
            for name, kept in late.items():
                if name in self._kept:
                    now = self._kept[name]
                    MemoryStore._remove(self, name)  # noqa: SLF001 - its own
                    MemoryStore._insert(self, name, replace(now, keys=kept.keys))  # noqa: SLF001 - its own
            self.is_catching_up = False
            return super().commit(batch)

    def keys_of(self, name: Name, kept: Any) -> Any:  # noqa: ANN401 - the memory store's own records
        self.late[name] = kept
        return tuple(key for key in kept.keys if key[0] != self.place[1])


def index_row_missing(where: str, _: str) -> Made:
    """Never write the rows of an index."""
    return _indexing(_Missing, where)


def index_row_stale(where: str, _: str) -> Made:
    """Leave the old row of an index when a resource is updated."""
    return _indexing(_Stale, where)


def index_row_revived(where: str, _: str) -> Made:
    """Let the old row of an index come back when a removed resource is created again."""
    return _indexing(_Revived, where)


def index_row_late(where: str, _: str) -> Made:
    """Write the rows of an index with the next commit."""
    return _indexing(_Late, where)


def index_row_kept(where: str, _: str) -> Made:
    """Find removed resources by an index."""
    place = place_of(where)

    class Finds(Kept):
        def __init__(self) -> None:
            super().__init__()
            self.gone: dict[IndexKey, str] = {}

        def _remove(self, name: Name) -> None:
            if name[0] == place[0] and name in self._kept:
                self.gone.update({key: name[1] for index, key in self._kept[name].keys if index == place[1]})
            super()._remove(name)

        def find(self, kind: str, index: str, key: IndexKey) -> str | None:
            """See `Store`."""
            found = super().find(kind, index, key)
            return self.gone.get(key) if found is None and (kind, index) == place else found

    return Finds()


def find_remembers(where: str, _: str) -> Made:
    """Find whoever was found under a key of an index before, as long as he stands there."""
    place = place_of(where)

    class Remembers(Kept):
        def __init__(self) -> None:
            super().__init__()
            self.found: dict[IndexKey, str] = {}

        def find(self, kind: str, index: str, key: IndexKey) -> str | None:
            """See `Store`."""
            first = super().find(kind, index, key)
            if first is None or (kind, index) != place:
                return first
            if self.found.get(key) not in self._under(kind, index, key).values():
                self.found[key] = first
            return self.found[key]

    return Remembers()


def unique_ignored(where: str, _: str) -> Made:
    """Let two resources stand under one key of a unique index."""
    place = place_of(where)

    class Ignores(Kept):
        def _check_unique(self, draft: Draft) -> None:
            if not any(name[0] == place[0] for name in draft):
                super()._check_unique(draft)

    return Ignores()


def unique_loosely(where: str, loosen: Loosen) -> Made:
    """Refuse keys of a unique index that are like one that is taken."""
    place = place_of(where)

    class Compares(Kept):
        def _check_unique(self, draft: Draft) -> None:
            super()._check_unique(draft)
            after: Draft = {name: kept for name, kept in self._kept.items() if name[0] == place[0]}
            after |= {name: kept for name, kept in draft.items() if name[0] == place[0]}
            taken: dict[IndexKey, str] = {}
            for (_, id_), kept in after.items():
                for index, key in kept.keys if kept is not None else ():
                    holder = taken.setdefault(tuple(map(loosen, key)), id_) if index == place[1] else id_
                    if holder != id_:
                        raise Conflict(place[0], key, holder, index=index)

    return Compares()


def lookup_loosely(where: str, loosen: Loosen) -> Made:
    """Answer for a key of an index that isn't there with what stands under one that is like it."""
    place = place_of(where)

    class Answers(Kept):
        def _under(self, kind: str, index: str, key: IndexKey) -> SortedDict[int, str]:
            exact = super()._under(kind, index, key)
            if exact or (kind, index) != place:
                return exact
            like = tuple(map(loosen, key))
            names = (name for name in self._entries if name[:2] == place and tuple(map(loosen, name[2])) == like)
            return self._entries[found] if (found := next(names, None)) else exact

        def _check_unique(self, draft: Draft) -> None:
            MemoryStore._check_unique(_Exact(self), draft)  # noqa: SLF001 - of the same class

    return Answers()


class _Exact(MemoryStore):
    """The right view of what a wrong store holds."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._kept, self._entries = store._kept, store._entries  # noqa: SLF001 - a store of our own


def id_loosely(kind: str, loosen: Loosen) -> Made:
    """Answer for an id that isn't there with the resource whose id is like it."""

    class Answers(Kept):
        def get_record(self, kind_asked: str, id: str) -> Record | None:  # noqa: A002 - as `Store`
            """See `Store`."""
            exact = super().get_record(kind_asked, id)
            if exact is not None or kind_asked != kind:
                return exact
            like = loosen(id)
            return next((k.record for (of, i), k in self._kept.items() if of == kind and loosen(i) == like), None)

    return Answers()
