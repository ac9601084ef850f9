"""Creating behind all others: no read is made, and nothing that is there is written over for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sortedcontainers import SortedDict

from stores.codecs import codec_of
from stores.contract import Conflict, Delete, Durability, InvalidOperation, Put, StoreError
from stores.keyvalue.store import KeyValueStore
from stores.registry import SCHEMES, open_store, unavailable
from stores.suite.dict_engine import DictEngine
from stores.suite.samples import put

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]


class WalksBack(DictEngine):
    """Knows its last key, and remembers which records were read."""

    def __init__(self) -> None:
        super().__init__(SortedDict())
        self.read: list[str] = []
        self.looked = 0

    def get(self, key: bytes) -> bytes | None:
        if key.startswith(b"r\x05agent"):
            self.read.append(key[7:].decode())
        return super().get(key)

    def last_key(self, start: bytes, stop: bytes) -> bytes | None:
        self.looked += 1
        return super().last_key(start, stop)


def store_over(engine: DictEngine) -> KeyValueStore:
    return KeyValueStore(engine, codec_of("protobuf"), Durability.RELAXED)


def created(store: KeyValueStore, *names: str) -> list[int | StoreError]:
    return store.commit_many([[put(name, slug=f"slug-{name}", when="absent")] for name in names])


def test_a_record_behind_all_others_is_not_looked_for() -> None:
    engine = WalksBack()
    store = store_over(engine)
    assert created(store, "b", "c") == [1, 2]
    assert created(store, "d") == [3]
    assert engine.read == []
    assert created(store, "a") == [4]
    assert engine.read == ["a"]
    assert engine.looked == 1, "the engine is asked once"


def test_what_is_there_is_found_whatever_wrote_it() -> None:
    engine = WalksBack()
    store = store_over(engine)
    created(store, "b")
    store.commit([put("b", slug="other"), put("d", slug="slug-d")])  # the general way, as it overwrites one
    again = created(store, "d", "b", "e", "e")
    assert [type(each) for each in again] == [Conflict, Conflict, int, Conflict]
    reopened = store_over(engine)
    assert [type(each) for each in created(reopened, "e", "d", "f")] == [Conflict, Conflict, int]


def test_one_that_stands_before_others_does_not_hide_them() -> None:
    store = store_over(WalksBack())
    created(store, "z")
    created(store, "a")
    assert isinstance(store.commit_many([[put("z", slug="free", when="absent")]])[0], Conflict)
    store.commit([put("a", slug="a2"), put("b", slug="b")])  # the general way
    assert isinstance(store.commit_many([[put("z", slug="free", when="absent")]])[0], Conflict)


def test_a_removal_and_another_kind_change_nothing() -> None:
    engine = WalksBack()
    store = store_over(engine)
    created(store, "b", "y")
    store.commit([Delete("agent", "y")])
    engine.read.clear()
    assert created(store, "x") == [3]
    assert "x" in engine.read, "it stands before the greatest there was, so it is looked for"
    assert created(store, "y") == [4]
    assert isinstance(created(store, "y")[0], Conflict)


def test_a_write_that_fails_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = WalksBack()
    store = store_over(engine)
    created(store, "b")

    def refuse(*_: object, **__: object) -> None:
        raise InvalidOperation("too large")

    with monkeypatch.context() as patched:
        patched.setattr(engine, "write", refuse)
        with pytest.raises(InvalidOperation):
            created(store, "z")
    engine.read.clear()
    assert created(store, "c") == [2]
    assert engine.read == []


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "sqlite"])
def test_every_engine_knows_its_last_key(name: str, tmp_path: Path) -> None:
    with open_store(f"{name}:{tmp_path / 'db'}", create=True) as store:
        assert isinstance(store, KeyValueStore)
        engine, _, sync = store.parts
        last_key = engine.last_key  # type: ignore[attr-defined]  # not every engine has it; these do
        assert last_key(b"r", b"s") is None
        engine.write([(b"ra", b"1"), (b"rc", b"2"), (b"rb", b"3"), (b"s", b"4"), (b"q", b"5")], sync=sync)
        assert last_key(b"r", b"s") == b"rc"
        assert last_key(b"r", b"rc") == b"rb"
        assert last_key(b"rd", b"s") is None
        assert last_key(b"r", b"\xff" * 9) == b"s"
        engine.write([(b"rc", None)], sync=sync)
        assert last_key(b"r", b"s") == b"rb"


@pytest.mark.parametrize("name", ENGINES)
def test_an_open_store_has_no_id_twice_after_it_was_closed(name: str, tmp_path: Path) -> None:
    url = f"{name}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        store.commit([put("m", when="absent")])
        store.commit([put("z", slug="z", when="absent")])
    with open_store(url, create=True) as store:
        for id_ in ("z", "m"):
            with pytest.raises(Conflict):
                store.commit([Put("agent", id_, put(id_, slug=f"again-{id_}").message, "absent")])
