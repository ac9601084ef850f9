"""A read doesn't pay for what was removed beside it: log-structured engines keep a mark for each removed key."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from rocksdict import Options, Rdict, ReadOptions
from sortedcontainers import SortedDict

from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.model import SYSTEM, Ref
from reference_server.authorization.policies import StoredPolicies, grant
from reference_server.clock import Clock
from reference_server.unit_of_work import UnitOfWork
from stores.codecs import codec_of
from stores.contract import Delete, Durability, Record, StoreUnavailable
from stores.engines.rocksdb import RocksDbSnapshot
from stores.keyvalue.engine import NO_LIMIT
from stores.keyvalue.store import KeyValueStore
from stores.suite.dict_engine import DictEngine, DictSnapshot, Rows

ADA, MAX, EVE = (Ref("identity_account", name) for name in ("ada", "max", "eve"))
ORG, PARENT = Ref("organization", "acme"), Ref("agent", "a-live")
BETWEEN = [Ref("agent", f"a{sign}{number:03}") for sign in "+z" for number in range(50)]
"""Agents whose keys stand on both sides of the one that stays."""
_GONE = b"\0gone"


class Marks(DictEngine):
    """Keeps a mark for each removed key, as LevelDB does, and counts the marks that its iterators pass."""

    def __init__(self) -> None:
        super().__init__(SortedDict())
        self.passed = self.snapshots = 0

    def get(self, key: bytes) -> bytes | None:
        value = super().get(key)
        return None if value == _GONE else value

    def snapshot(self) -> MarksSnapshot:
        self.snapshots += 1
        return MarksSnapshot(self.rows.copy(), self)

    def write(self, changes: object, *, sync: bool) -> None:
        super().write([(key, _GONE if value is None else value) for key, value in changes], sync=sync)  # type: ignore[attr-defined] # pairs


class MarksSnapshot(DictSnapshot):
    """Only a key that is left ends an iterator: LevelDB doesn't know where its reader wants to stop."""

    def __init__(self, rows: Rows, engine: Marks) -> None:
        super().__init__(rows)
        self._engine = engine

    def get(self, key: bytes) -> bytes | None:
        value = super().get(key)
        return None if value == _GONE else value

    def range(self, start: bytes, stop: bytes, limit: int = NO_LIMIT) -> Iterator[tuple[bytes, bytes]]:
        found = count(1)
        for key in self._rows.irange(start):
            value = self._rows[key]
            if value == _GONE:
                self._engine.passed += 1
                continue
            if key >= stop:
                return
            yield key, value
            if next(found) == limit:
                return


def granted(store: KeyValueStore, *grants: tuple[Ref, str, Ref]) -> list[str]:
    work = UnitOfWork(store)
    for principal, relation, resource in grants:
        grant(work, Clock(), SYSTEM, resource, ((principal, relation),))
    made = [each.id for each in work.batch()]  # type: ignore[union-attr] # nothing but puts
    store.commit(work.batch())
    return made


@pytest.fixture
def engine() -> Marks:
    return Marks()


@pytest.fixture
def store(engine: Marks) -> KeyValueStore:
    """One agent with its policies; very many others, and what they were owners of, were removed."""
    opened = KeyValueStore(engine, codec_of("protobuf"), Durability.RELAXED)
    granted(opened, (MAX, "member", ORG), (ADA, "owner", PARENT), (ORG, "organization", PARENT))
    gone: list[str] = []
    for each in BETWEEN:
        editors = Ref("team", each.id, "member")
        gone += granted(opened, (ADA, "owner", each), (ORG, "organization", each), (editors, "editor", each))
        gone += granted(opened, (each, "agent", Ref("agent_instance", each.id)))
    opened.commit([Delete("iam_policy", id_) for id_ in gone])
    engine.passed = 0
    return opened


def under(store: KeyValueStore, index: str, *key: str) -> list[Record]:
    return list(store.scan("iam_policy", index=index, key=key))


def test_an_empty_key_takes_neither_a_snapshot_nor_an_iterator(store: KeyValueStore, engine: Marks) -> None:
    before = engine.snapshots
    for index, key in (
        ("userset", ("editor", *BETWEEN[0][:2])),
        ("resource", BETWEEN[0][:2]),
        ("principal", BETWEEN[0][:2]),
        ("tuple", (*ADA[:2], "", "owner", *BETWEEN[0][:2])),
    ):
        assert under(store, index, *key) == []
        assert store.find("iam_policy", index, key) is None
        assert store.count("iam_policy", index=index, key=key) == 0
    assert (engine.passed, engine.snapshots) == (0, before)


def test_the_last_entry_of_a_key_ends_the_reading(store: KeyValueStore, engine: Marks) -> None:
    about = under(store, "resource", *PARENT[:2])
    assert len(about) == 2
    assert store.find("iam_policy", "resource", PARENT[:2]) == about[0].id
    assert under(store, "principal", *ORG[:2]) == [about[1]]
    assert engine.passed == 0


@pytest.mark.parametrize(("caller", "may"), [(ADA, True), (MAX, True), (EVE, False)])
def test_a_decision_passes_nothing_that_was_removed(
    store: KeyValueStore, engine: Marks, caller: Ref, may: bool
) -> None:
    assert Authorizer().allows(caller, "can_view", PARENT, StoredPolicies(UnitOfWork(store))) is may
    assert engine.passed == 0


def test_rocksdb_reads_nothing_behind_a_limit(tmp_path: Path) -> None:
    database = Rdict(str(tmp_path), Options(raw_mode=True))
    for number in range(100):
        database[b"k%03d" % number] = b"v"
    for number in range(5, 100):
        del database[b"k%03d" % number]
    database[b"l"] = b"v"
    impatient = ReadOptions()
    impatient.set_max_skippable_internal_keys(20)
    for limit in (0, 1, 2, 3, 5):
        snapshot = RocksDbSnapshot(database.iter(impatient), tmp_path)
        assert len(list(snapshot.range(b"k", b"l", limit))) == limit
    with pytest.raises(StoreUnavailable, match="skipped"):
        list(RocksDbSnapshot(database.iter(impatient), tmp_path).range(b"k", b"l"))
    database.close()
