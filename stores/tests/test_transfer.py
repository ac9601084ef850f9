"""Backup, restore, copy; and the command line over them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import sqlite_utils
from typer.testing import CliRunner

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.canonical import canonical_bytes
from stores.cli import app
from stores.contract import Conflict, Delete, Put, Store
from stores.memory import MemoryStore
from stores.registry import open_store
from stores.suite.check import run_check
from stores.suite.checks import CHECKS
from stores.suite.samples import agent, event, fill, instance, policy, put
from stores.suite.scorecard import ScoredSubject
from stores.suite.subject import UrlSubject
from stores.transfer import BadBackup, copy_store, differences, export_store, import_store, records

RUNNER = CliRunner()


def _furnish(store: Store) -> None:
    """Fill a store with kinds in turn, odd values, and gaps in the positions."""
    fill(store, ["b", "a\0", "gone"])
    store.commit([Put("agent_instance", "i", instance("i", "b")), Put("iam_policy", "p", policy("p", "owner"))])
    message = event("e", "b")
    message.data.Pack(agent("inner", text="\u2028"))
    store.commit([Put("event", "e", message), Delete("agent", "gone"), put("c", org="")])


def test_backup_and_restore_over_three_engines(tmp_path: Path) -> None:
    """LevelDB to a file, to SQLite as JSON, to RocksDB: the same bytes in the same order."""
    with (
        open_store(f"leveldb:{tmp_path / 'level'}", create=True) as first,
        open_store(f"sqlite:{tmp_path / 's.db'}", create=True) as second,
    ):
        _furnish(first)
        assert export_store(first, tmp_path / "backup.jsonl") == 6
        assert import_store(second, tmp_path / "backup.jsonl") == 6
        with open_store(f"rocksdb:{tmp_path / 'rocks'}", create=True) as third:
            assert copy_store(second, third) == 6
            assert [(r.kind, r.id, _canonical(r.data)) for r in records(first) if r.kind == "agent"] == [
                (r.kind, r.id, r.data) for r in records(third) if r.kind == "agent"
            ]
            assert [(r.kind, r.id) for r in records(first)] == [(r.kind, r.id) for r in records(third)]
            assert list(differences(first, third)) == []


def _canonical(data: bytes) -> bytes:
    return canonical_bytes(Agent.FromString(data))


def test_backup_keeps_what_json_loses(tmp_path: Path) -> None:
    newer = Agent.FromString(agent("a").SerializeToString() + b"\xfa\x3f\x03new")
    first, second = MemoryStore(), MemoryStore()
    first.commit([Put("agent", "a", newer), put("b")])
    export_store(first, tmp_path / "x.jsonl")
    rows = [orjson.loads(line) for line in (tmp_path / "x.jsonl").read_bytes().splitlines()]
    assert [row["wire"] is None for row in rows] == [False, True]
    import_store(second, tmp_path / "x.jsonl")
    assert second.get_bytes("agent", "a") == first.get_bytes("agent", "a")


def test_sqlite_utils_takes_a_backup(tmp_path: Path) -> None:
    store = MemoryStore()
    _furnish(store)
    export_store(store, tmp_path / "x.jsonl")
    database = sqlite_utils.Database(memory=True)
    database.table("resources").insert_all(map(orjson.loads, (tmp_path / "x.jsonl").read_bytes().splitlines()))
    names = database.query(
        "select json_extract(message, '$.metadata.slug') as slug from resources where kind = 'agent'"
    )
    assert [row["slug"].partition("\0")[0] for row in names] == ["b", "a", "c"]
    database.close()


def test_lost_fields_are_reported(tmp_path: Path) -> None:
    newer = Agent.FromString(agent("a").SerializeToString() + b"\xfa\x3f\x03new")
    first = MemoryStore()
    first.commit([Put("agent", "a", newer), put("b")])
    with open_store(f"sqlite:{tmp_path / 's.db'}", create=True) as second:
        copy_store(first, second)
        (difference,) = differences(first, second)
        second.commit([Delete("agent", "b")])
        assert [row.reason for row in differences(first, second)][1] == "it is missing"
    assert "no unknown fields" in difference.reason


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line 2"),
        (b"[]", "line 2"),
        (b'{"kind":"nope","id":"a","message":{}}', "unknown kind 'nope'"),
        (b'{"kind":"agent","id":"a"}', "line 2"),
        (b'{"kind":"agent","id":"a","wire":"%"}', "line 2"),
        (b'{"kind":"agent","id":"a","wire":"/////w=="}', "line 2"),
        (b'{"kind":"agent","id":"a","message":{"nope":1}}', "line 2"),
    ],
)
def test_bad_backups_are_refused(line: bytes, says: str, tmp_path: Path) -> None:
    good = MemoryStore()
    fill(good, ["z"])
    export_store(good, tmp_path / "x.jsonl")
    with (tmp_path / "x.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(BadBackup, match=says):
        import_store(MemoryStore(), tmp_path / "x.jsonl")


def test_import_never_overwrites(tmp_path: Path) -> None:
    store = MemoryStore()
    fill(store, ["a"])
    export_store(store, tmp_path / "x.jsonl")
    with pytest.raises(Conflict):
        import_store(store, tmp_path / "x.jsonl")


# ---- the command line


def _run(*arguments: str, exit_code: int = 0) -> str:
    result = RUNNER.invoke(app, list(arguments), env={"COLUMNS": "300"})
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result.output


def test_list() -> None:
    shown = _run("list")
    for word in ("memory:", "leveldb:PATH", "codec=json-orjson|protobuf", "durability=durable|relaxed"):
        assert word in shown


def test_export_import_copy(tmp_path: Path) -> None:
    level, sqlite, lmdb = (f"{name}:{tmp_path / name}" for name in ("leveldb", "sqlite", "lmdb"))
    with open_store(level, create=True) as store:
        _furnish(store)
    assert "6 resources written" in _run("export", level, str(tmp_path / "b.jsonl"))
    assert "6 resources created" in _run("import", str(tmp_path / "b.jsonl"), sqlite)
    assert "6 resources copied, 0 of them differ" in _run("copy", sqlite, lmdb)
    assert "is held by" in _run("copy", sqlite, lmdb, exit_code=3)


def test_check_says_what_it_found(tmp_path: Path) -> None:
    shown = _run("check", f"leveldb:{tmp_path / 'db'}", "--examples", "2")
    assert "0 fail" in shown
    assert "never reached" not in shown
    assert list(tmp_path.iterdir()) == [], "the check leaves nothing behind"
    assert "1 pass" in _run("check", "memory:", "--only", "scan-order")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["check", "memory:", "--only", "nope"], 2, "no check has the id"),
        (["check", "nope:/x"], 2, "unknown store"),
        (["export", "leveldb:/x?codec=yaml", "f"], 2, "codec can't be 'yaml'"),
        (["import", "/no/such/file", "memory:"], 2, "/no/such/file"),
        (["export", "sqlite:/proc/none/x.db", "f"], 3, "there is no SQLite database"),
        (["import", "/dev/null", "sqlite:/proc/none/x.db"], 3, "can't be made"),
    ],
)
def test_errors_are_sentences(arguments: list[str], exit_code: int, says: str) -> None:
    shown = _run(*arguments, exit_code=exit_code)
    assert says in shown
    assert "Traceback" not in shown


def test_scorecard_names_what_was_never_reached(tmp_path: Path) -> None:
    subject = ScoredSubject(UrlSubject.of("memory:", tmp_path))
    run_check(next(check for check in CHECKS if check.id == "resource-put-get"), subject, "x")
    assert subject.states["commit", "created"] == 1
    assert ("commit", "Conflict") in subject.never_reached()
    assert ("get", "found") not in subject.never_reached()
