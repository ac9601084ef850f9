"""Compares what a database holds: resources with indexes, counts and order, both ways, and with each other.

One kind at a time is held in memory: its ids and index keys, not its messages (some 1 KiB for an agent).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message

from stores.integrity.contents import Contents, Entry, Resource, Unreadable
from stores.integrity.findings import Finding
from stores.integrity.references import References
from stores.keyvalue.layout import State
from stores.schema import Kind

UNKNOWN_ID = "?"


Progress = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are: each resource is one, and so are its entries."""


class _Steps:
    """Counts how far a check is."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0.0

    def did(self, steps: float) -> None:
        """Count so many more."""
        self._done += steps
        self._progress(round(self._done), self._total)


def check(contents: Contents, progress: Progress = lambda _done, _total: None) -> Iterator[Finding]:
    """Yield all that is wrong with a database; `progress` is told how far it is by the numbers that are kept there."""
    yield from contents.whole()
    state = contents.state()
    steps = _Steps(progress, 2 * sum(state.counts.values()))
    references = References()
    holders: dict[int, str] = {}
    for kind in contents.schema.values():
        checked = _KindCheck(contents, kind, state, references, holders, steps)
        yield from checked.findings()
    yield from references.findings()


def own_id(message: Message) -> str:
    """Return the id that a message names itself by, or "" if its type has none."""
    fields = message.DESCRIPTOR.fields_by_name
    if "metadata" in fields:
        return str(message.metadata.id)  # type: ignore[attr-defined] # looked up just before
    return str(getattr(message, "id", "") or getattr(message, "name", ""))


@dataclass
class _KindCheck:
    """Checks one kind. What can't be read is told once; nothing is concluded from it."""

    contents: Contents
    kind: Kind
    state: State
    references: References
    holders: dict[int, str]
    """Which resource has a position, over all kinds so far."""
    steps: _Steps
    positions: dict[str, int] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    expected: dict[tuple[str, bytes, int], str] = field(default_factory=dict)
    """Index, key and position of each entry that must be there, and the id it must name."""
    gone: dict[str, list[str]] = field(default_factory=dict)
    """Ids that something names and that aren't there, and what names them."""
    numbers: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    whole: bool = True
    """All resources could be listed."""
    entries_whole: bool = True
    """All entries of the indexes could be."""

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the kind."""
        yield from self._resources()
        yield from self._entries()
        yield from self._counts()
        if self.contents.keeps_order:
            yield from self._order()
        for id_, places in self.gone.items():
            yield self._found("resource-gone", id_, "named by " + ", ".join(dict.fromkeys(places)))
        kept, there = self.state.counts.get(self.kind.name, 0), len(self.positions) + len(self.unread)
        if self.whole and kept != there:
            yield self._found("kind-count-wrong", "", f"the number is {kept}, there are {there}")

    def _found(self, what: str, id_: str, detail: str) -> Finding:
        return Finding(what, self.kind.name, id_, detail)

    # ---- resources

    def _resources(self) -> Iterator[Finding]:
        for each in self.contents.resources(self.kind.name):
            self.steps.did(1)
            if isinstance(each, Finding):
                self.whole = self.whole and each.what != "area-unreadable"
                yield each
            elif isinstance(each, Unreadable):
                self.unread.add(each.id)
                self.whole = self.whole and each.id != UNKNOWN_ID
                yield self._found("resource-unreadable", each.id, each.reason)
            else:
                yield from self._resource(each)
        self.references.note_unread(self.kind.name, self.unread, whole=self.whole)

    def _resource(self, resource: Resource) -> Iterator[Finding]:
        self.positions[resource.id] = resource.position
        self.references.note(self.kind.name, resource.id, resource.message)
        named = own_id(resource.message)
        if named and named != resource.id:
            yield self._found("resource-id", resource.id, f"its message has the id {named!r}")
        keys = tuple(dict.fromkeys(self.kind.entries(resource.message)))
        if set(keys) != set(resource.keys):
            yield self._found("resource-keys", resource.id, f"kept: {_keys(resource.keys)}; its own: {_keys(keys)}")
        if resource.position > self.state.position or resource.revision > self.state.revision:
            yield self._found(
                "number-behind",
                resource.id,
                f"position {resource.position}, revision {resource.revision}; "
                f"the last given out are {self.state.position} and {self.state.revision}",
            )
        holder = self.holders.setdefault(resource.position, f"{self.kind.name} {resource.id}")
        if holder != f"{self.kind.name} {resource.id}":
            yield self._found("position-twice", resource.id, f"position {resource.position} is also that of {holder}")
        yield from self._expect(resource, keys)

    def _expect(self, resource: Resource, keys: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[Finding]:
        for index, key in keys:
            # A unique entry has its key to itself, whatever the position: 0 stands for any.
            place = 0 if index in self.kind.unique else resource.position
            packed = self.contents.pack(key)
            other = self.expected.setdefault((index, packed, place), resource.id)
            if other != resource.id:
                yield self._found("unique-twice", resource.id, f"{index} {_shown(packed)} is also that of {other}")

    # ---- what is derived from them

    def _entries(self) -> Iterator[Finding]:
        missing = dict(self.expected)
        seen: set[Entry] = set()
        share = len(self.positions) / max(len(self.expected), 1)
        for each in self.contents.entries(self.kind.name):
            self.steps.did(share)
            if isinstance(each, Finding):
                self.entries_whole = self.entries_whole and each.what != "area-unreadable"
                yield each
                continue
            self.numbers[each.index_name, each.key] += 1
            place = (each.index_name, each.key, 0 if each.index_name in self.kind.unique else each.position)
            right = self.expected.get(place) == each.id and self.positions[each.id] == each.position
            if right and each not in seen:
                missing.pop(place)
                seen.add(each)
            elif self._judged(each.id, f"{each.index_name} {_shown(each.key)}"):
                yield self._found(
                    "entry-wrong", each.id, f"{each.index_name} {_shown(each.key)}, position {each.position}"
                )
        if self.entries_whole:
            for (index, key, _), id_ in missing.items():
                yield self._found("entry-missing", id_, f"{index} {_shown(key)}")

    def _judged(self, id_: str, place: str) -> bool:
        """Say whether a name that doesn't fit is wrong where it stands: its resource is there, and was read."""
        if id_ in self.positions:
            return True
        if id_ not in self.unread and self.whole:
            self.gone.setdefault(id_, []).append(place)
        return False

    def _counts(self) -> Iterator[Finding]:
        counted = self.contents.counted(self.kind.name)
        left = {name: number for name, number in self.numbers.items() if name[0] in counted}
        right = self._right_counts(counted) if self.whole and not self.unread and not self.gone else left
        complete = self.entries_whole
        for each in self.contents.counts(self.kind.name):
            if isinstance(each, Finding):
                complete = complete and each.what != "area-unreadable"
                yield each
                continue
            name = (each.index_name, each.key)
            left.pop(name, None)
            if complete and each.number != right.get(name, 0):
                yield self._count_wrong(name, each.number, right.get(name, 0))
        if complete:
            for name in left:
                if right.get(name, 0):
                    yield self._count_wrong(name, 0, right[name])

    def _right_counts(self, counted: frozenset[str]) -> dict[tuple[str, bytes], int]:
        return Counter((index, key) for index, key, _ in self.expected if index in counted)

    def _count_wrong(self, name: tuple[str, bytes], number: int, right: int) -> Finding:
        return self._found("count-wrong", "", f"{name[0]} {_shown(name[1])}: the number is {number}, not {right}")

    def _order(self) -> Iterator[Finding]:
        missing, complete = dict(self.positions), True
        for each in self.contents.order(self.kind.name):
            if isinstance(each, Finding):
                complete = complete and each.what != "area-unreadable"
                yield each
                continue
            position, id_ = each
            if missing.get(id_) == position:
                missing.pop(id_)
            elif self._judged(id_, "the order of creation"):
                yield self._found("order-wrong", id_, f"position {position}, not {self.positions[id_]}")
        if complete:
            for id_, position in missing.items():
                yield self._found("order-missing", id_, f"position {position}")


def _keys(keys: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    return ", ".join(f"{index} {'/'.join(key)}" for index, key in keys) or "none"


def _shown(packed: bytes) -> str:
    """Return a packed key for people: its JSON, or a long key's hash."""
    text = packed.decode(errors="backslashreplace")
    return text if text.isprintable() else packed.hex()
