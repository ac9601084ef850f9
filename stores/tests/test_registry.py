"""Store URLs: what they name, and how wrong ones are refused."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from stores import registry
from stores.contract import Durability, InvalidStoreUrl, StoreUnavailable
from stores.memory import MemoryStore
from stores.registry import Scheme, open_store, parse_url, schemes


@pytest.mark.parametrize(
    ("url", "scheme", "path", "options"),
    [
        ("memory:", "memory", "", {}),
        ("leveldb:/var/lib/x", "leveldb", "/var/lib/x", {}),
        ("sqlite:a b%20c.db?codec=json", "sqlite", "a b%20c.db", {"codec": "json"}),
        (
            "leveldb:C:/x?codec=protobuf&durability=durable",
            "leveldb",
            "C:/x",
            {"codec": "protobuf", "durability": "durable"},
        ),
    ],
)
def test_parse(url: str, scheme: str, path: str, options: dict[str, str]) -> None:
    parsed = parse_url(url)
    assert (parsed.scheme, parsed.path, dict(parsed.options)) == (scheme, path, options)
    assert str(parsed) == url


def test_the_home_folder_is_that_of_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_url("sqlite:~/x.db?codec=json").path == str(tmp_path / "x.db")
    assert parse_url("leveldb:~").path == str(tmp_path)
    assert parse_url("sqlite:./~/x.db").path == "./~/x.db"
    open_store("sqlite:~/x.db", create=True).close()
    assert (tmp_path / "x.db").is_file()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no store URL"),
        ("sqlite:~nobody-has-this-name/x.db", "names no home folder"),
        ("leveldb", "no store URL"),
        (":x", "no store URL"),
        ("nope:/x", "unknown store 'nope'"),
        ("leveldb:", "names no path"),
        ("memory:/x", "takes no path"),
        ("memory:?codec=json", "no option 'codec'"),
        ("leveldb:/x?codec=yaml", "codec can't be 'yaml'"),
        ("leveldb:/x?durability=", "durability can't be ''"),
        ("leveldb:/x?durability=durable&durability=relaxed", "an option twice"),
        ("leveldb:/x?codec", "can't be read"),
        ("leveldb:/x?cache=1", "no option 'cache'"),
    ],
)
def test_refused(url: str, says: str) -> None:
    with pytest.raises(InvalidStoreUrl, match=says) as refusal:
        open_store(url, create=True)
    assert refusal.value.hint or "twice" in says


def test_defaults(tmp_path: Path) -> None:
    with open_store(f"leveldb:{tmp_path / 'a'}", create=True) as store:
        assert (store.capabilities.codec, store.capabilities.durability) == ("protobuf", Durability.DURABLE)
    with open_store(f"sqlite:{tmp_path / 'b.db'}", create=True) as store:
        assert (store.capabilities.codec, store.capabilities.durability) == ("json-orjson", Durability.DURABLE)


def test_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = tuple(replace(row, driver="no_such_driver") if row.name == "leveldb" else row for row in registry.SCHEMES)
    monkeypatch.setattr(registry, "SCHEMES", rows)
    with pytest.raises(StoreUnavailable, match="no_such_driver") as refusal:
        open_store(f"leveldb:{tmp_path}", create=True)
    assert "pip install" in refusal.value.hint


def test_entry_points_add_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("third", f"{__name__}:THIRD", "parity.stores"),
        EntryPoint("memory", f"{__name__}:THIRD", "parity.stores"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "parity.stores" else [])
    monkeypatch.setattr(EntryPoint, "load", lambda point: THIRD)
    assert isinstance(open_store("third:", create=True), MemoryStore)
    assert schemes()["memory"].summary != THIRD.summary, "nobody replaces a store of this package"


def test_entry_point_of_another_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint("bad", "os:path", "parity.stores")])
    with pytest.raises(StoreUnavailable, match="no Scheme"):
        schemes()


@pytest.mark.parametrize("scheme", ["leveldb", "sqlite", "lmdb", "rocksdb"])
def test_unusable_path(scheme: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        open_store(f"{scheme}:{tmp_path / 'file' / 'below'}", create=True)


THIRD = Scheme("third", "somebody else's", lambda path, options, schema, access: MemoryStore(schema), needs_path=False)
