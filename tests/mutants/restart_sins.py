"""Servers that are right until they are started again over what they stored. A new one is one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference_server.errors import AlreadyExists
from reference_server.identity import slug_of
from reference_server.pipeline import State
from reference_server.unit_of_work import UnitOfWork, stored_message
from stores.contract import Batch, IndexKey, Record, Store
from stores.schema import KINDS, slug_key
from tests.mutants.half_done_sins import keeping
from tests.mutants.mutant import DELETE, DUPLICATE, PUBLISH
from tests.mutants.wrapping import Change, Run, everywhere, first, then, together, wrap
from tests.wrong_replicas.wrong_store import WrongStore

RESOURCES = ("agent", "agent_instance", "environment")


@dataclass
class Old:
    """What the store held when the server was started."""

    folder: Path
    """Where a server keeps what it remembers beside its store."""
    ids: set[str] = field(default_factory=set)
    renamed: set[str] = field(default_factory=set)
    """Of resources whose slug isn't that of their name."""

    def look_at(self, store: Store) -> None:
        """Read it."""
        for kind in KINDS:
            for record in store.scan(kind):
                self.ids.add(record.id)
                if kind in RESOURCES:
                    metadata = stored_message(kind, record.id, record.data).metadata
                    self.renamed |= {record.id} if metadata.slug != slug_of(metadata.name) else set()


@dataclass(frozen=True)
class RestartSin:
    """One wrong server: what it does, in which steps or around its store."""

    sin: str
    change: Callable[[Old], Change] = lambda _: together()
    store: Callable[[Store, Old], Store] = lambda store, _: store


class SlugsOfNames(WrongStore):
    """Looks slugs up in an index that the start made of the names."""

    def __init__(self, inner: Store, old: Old) -> None:
        super().__init__(inner)
        self.hidden = old.renamed

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        found = super().find(kind, index, key)
        return None if index.startswith("slug") and found in self.hidden else found

    def scan(self, kind: str, **how: Any) -> Iterator[Record]:
        by_slug = (how.get("index") or "").startswith("slug")
        return (each for each in super().scan(kind, **how) if not (by_slug and each.id in self.hidden))


class LastPositionOfThisLife(WrongStore):
    """Knows no last position until something is written."""

    written = False

    def commit(self, batch: Batch) -> int:
        self.written = True
        return super().commit(batch)

    def last_position(self) -> int:
        return super().last_position() if self.written else 0


def _leaving_instances(old: Old) -> Change:
    def unconditionally(state: State, work: UnitOfWork) -> None:
        if state.resource.metadata.id in old.ids:
            work._conditions.clear()

    left = keeping("agent_instance", lambda _, instance: instance.metadata.id in old.ids)
    return together(left, then(DELETE, "DeleteResource", unconditionally))


def _created_anew(old: Old) -> Change:
    def effect(state: State, work: UnitOfWork) -> None:
        audit = state.resource.status.audit.spec_audit
        if state.resource.metadata.id in old.ids:
            audit.created_at.CopyFrom(work.instant.time())
            audit.created_by.CopyFrom(audit.updated_by)

    return everywhere("update", lambda operation: then(operation, "BuildUpdateState", effect))


def _freed_in_memory(old: Old) -> Change:
    """Which slugs were taken when it was killed is told by a file, as by a journal that has no deletes."""
    file = old.folder / "slugs"
    taken = {*file.read_text(encoding="utf-8").splitlines()} if file.exists() else set[str]()

    def key_of(state: State, resource: Any) -> str:
        return repr((state.operation.kind.name, *slug_key(resource.metadata)))

    def refuse(state: State, work: UnitOfWork) -> None:
        del work
        if key_of(state, state.resource) in taken:
            raise AlreadyExists(state.operation.kind.name, state.resource.metadata.slug, "", "slug")

    def remember(state: State, work: UnitOfWork) -> None:
        del work
        with file.open("a", encoding="utf-8") as journal:
            journal.write(f"{key_of(state, state.resource)}\n")

    return together(
        everywhere("create", lambda operation: first(operation, DUPLICATE, refuse)),
        everywhere("delete", lambda operation: then(operation, "DeleteResource", remember)),
    )


def _revoking_nothing_old(old: Old) -> Change:
    def effect(state: State, work: UnitOfWork) -> None:
        del state
        for key in [key for key in work._deletes if key[1] in old.ids]:
            del work._deletes[key]

    return then("iam-policy-delete", "DeleteResource", effect)


def _ids_since_the_start(old: Old) -> Change:
    def effect(state: State, work: UnitOfWork) -> None:
        del work
        answer: Any = state.response
        ids = answer.resource_ids
        ids[:] = [one for one in ids if one not in old.ids]

    return then("iam-policy-list-authorized-resource-ids", "ListAuthorizedResourceIds", effect)


def _silent_of_old(old: Old) -> Change:
    def unless_old(run: Run) -> Run:
        return lambda state, work: state if state.resource.metadata.id in old.ids else run(state, work)

    return together(
        *(everywhere(verb, lambda operation: wrap(operation, PUBLISH, unless_old)) for verb in ("update", "delete"))
    )


RESTART_SINS = {
    "slugs-of-names": RestartSin("a restart makes the index of slugs of the names", store=SlugsOfNames),
    "leaves-instances": RestartSin("a restart forgets which instances go with an agent", _leaving_instances),
    "created-anew": RestartSin("an update of what was made before a restart creates it anew", _created_anew),
    "freed-in-memory": RestartSin("a restart takes the slugs of what was deleted for taken", _freed_in_memory),
    "revokes-nothing-old": RestartSin("what was granted before a restart can't be revoked", _revoking_nothing_old),
    "silent-of-old": RestartSin("what was made before a restart is changed and deleted unannounced", _silent_of_old),
    "from-now-at-the-first": RestartSin(
        "a watch from now on that comes after a restart and before a write tells of everything",
        store=lambda store, _: LastPositionOfThisLife(store),
    ),
    "ids-since-the-start": RestartSin(
        "listAuthorizedResourceIds names what was made since the start", _ids_since_the_start
    ),
}
