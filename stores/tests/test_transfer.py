"""Backup, restore, copy; and the command line over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import sqlite_utils
from typer.testing import CliRunner

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from stores.canonical import canonical_bytes
from stores.cli import app
from stores.contract import Delete, Put, Store, StoreDamaged
from stores.export_file import BadExport
from stores.memory import MemoryStore
from stores.registry import open_store
from stores.suite.check import run_check
from stores.suite.checks import CHECKS
from stores.suite.samples import agent, event, fill, instance, policy, put
from stores.suite.scorecard import ScoredSubject
from stores.suite.subject import UrlSubject
from stores.transfer import AlreadyThere, copy_store, differences, export_store, import_store, records

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
        assert import_store(second, tmp_path / "backup.jsonl").created == 6
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
    assert [row["wire"] is None for row in rows] == [True, False, True, True]
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
        (b"{", "line 3"),
        (b"[]", "line 3"),
        (b'{"kind":"nope","id":"a","message":{}}', "unknown kind 'nope'"),
        (b'{"kind":"agent","id":"a"}', "line 3"),
        (b'{"kind":"agent","id":"a","wire":"%"}', "line 3"),
        (b'{"kind":"agent","id":"a","wire":"/////w=="}', "line 3"),
        (b'{"kind":"agent","id":"a","message":{"nope":1}}', "line 3"),
    ],
)
def test_bad_backups_are_refused(line: bytes, says: str, tmp_path: Path) -> None:
    good = MemoryStore()
    fill(good, ["z"])
    export_store(good, tmp_path / "x.jsonl")
    reseal(tmp_path / "x.jsonl", [line])
    store = MemoryStore()
    with pytest.raises(BadExport, match=says):
        import_store(store, tmp_path / "x.jsonl")
    assert store.count("agent") == 0, "nothing is created before all was read"
    taken = import_store(store, tmp_path / "x.jsonl", partial=True)
    assert taken.created == 1
    assert "line 3" in taken.missing[0]


def reseal(path: Path, more: list[bytes]) -> None:
    """Add lines to a backup as if they had been written with it."""
    lines = [*path.read_bytes().splitlines(keepends=True)[:-1], *(line + b"\n" for line in more)]
    end = orjson.loads(path.read_bytes().splitlines()[-1])
    end["message"] = {"resources": len(lines) - 1, "sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    path.write_bytes(b"".join(lines) + orjson.dumps(end) + b"\n")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda lines: [], "is empty"),
        (lambda lines: lines[:-1], "ends after line 4, before its last line"),
        (lambda lines: lines[:1], "ends after line 1"),
        (lambda lines: [*lines[:2], *lines[3:]], "has 2 resources, and its last line says 3"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "was changed"),
        (lambda lines: lines[1:], "line 1 doesn't begin a backup"),
        (lambda lines: [*lines, lines[1]], "line 6 stands behind the end"),
        (lambda lines: [lines[0].replace(b'"format":1', b'"format":2'), *lines[1:]], "has format 2"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "before its last line"),
    ],
)
def test_a_file_that_was_cut_or_changed_is_refused(
    damage: Callable[[list[bytes]], list[bytes]], says: str, tmp_path: Path
) -> None:
    source, path = MemoryStore(), tmp_path / "x.jsonl"
    fill(source, ["a", "b", "c"])
    export_store(source, path)
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    shown = _run("import", str(path), f"leveldb:{tmp_path / 'new'}", exit_code=2)
    assert says in shown.replace("\n", " ")
    assert [each.name for each in tmp_path.iterdir()] == ["x.jsonl"], "no database is made for it"


def test_a_cut_file_is_taken_in_part_and_what_is_missing_is_named(tmp_path: Path) -> None:
    source, path = MemoryStore(), tmp_path / "x.jsonl"
    fill(source, ["a", "b", "c"])
    export_store(source, path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:40]]))
    shown = _run("import", "--partial", str(path), f"leveldb:{tmp_path / 'new'}", exit_code=1)
    assert "line 3 is no resource" in shown
    assert "before its last line" in shown
    assert "1 resources created" in shown
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    shown = _run("import", "--partial", str(path), f"leveldb:{tmp_path / 'other'}", exit_code=1)
    assert "3 resources were written to the file, and 2 can be read" in shown


def test_a_row_under_another_id_than_its_messages_is_refused(tmp_path: Path) -> None:
    source, path = MemoryStore(), tmp_path / "x.jsonl"
    fill(source, ["a"])
    export_store(source, path)
    row = orjson.loads(path.read_bytes().splitlines()[1])
    reseal(path, [orjson.dumps({**row, "id": "b"})])
    assert "line 3: the row's id is 'b', but its message's is 'a'" in _run("import", str(path), "memory:", exit_code=2)


def test_an_import_names_the_fields_that_a_codec_loses(tmp_path: Path) -> None:
    source = MemoryStore()
    source.commit([Put("agent", "a", Agent.FromString(agent("a").SerializeToString() + b"\xfa\x3f\x03new")), put("b")])
    export_store(source, tmp_path / "x.jsonl")
    shown = _run("import", str(tmp_path / "x.jsonl"), f"sqlite:{tmp_path / 's.db'}", exit_code=1)
    assert "agent a: its message differs; the target's codec keeps no unknown fields" in shown
    assert "2 resources created" in shown
    _run("import", str(tmp_path / "x.jsonl"), f"leveldb:{tmp_path / 'level'}")


def test_a_good_backup_isnt_replaced_but_by_force_and_a_whole_one(tmp_path: Path) -> None:
    url, path = f"leveldb:{tmp_path / 'db'}", tmp_path / "b.jsonl"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    _run("export", url, str(path))
    good = path.read_bytes()
    assert "is there already" in _run("export", url, str(path), exit_code=2)
    assert "there is no LevelDB database" in _run("export", f"{url}x", str(path), "--force", exit_code=3)
    assert "is part of the database" in _run("export", url, str(tmp_path / "db"), "--force", exit_code=2)
    assert "is no file" in _run("export", url, str(tmp_path), "--force", exit_code=2)
    with open_store(url) as store, pytest.raises(StoreDamaged):
        export_store(_Hiding(store), path, force=True)  # type: ignore[arg-type] # what an export reads of a store
    assert path.read_bytes() == good
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.jsonl", "db"], "nothing half-made is left"
    _run("export", url, str(path), "--force")


class _Hiding:
    """A store of which a listing shows less than it counts."""

    def __init__(self, store: Store) -> None:
        self.scan = lambda kind: iter(())
        self.count = store.count


def test_import_never_overwrites(tmp_path: Path) -> None:
    store = MemoryStore()
    fill(store, ["a"])
    export_store(store, tmp_path / "x.jsonl")
    with pytest.raises(
        AlreadyThere, match="it is in the store already, or twice in the source; 0 resources"
    ) as refusal:
        import_store(store, tmp_path / "x.jsonl")
    assert "new database" in refusal.value.hint


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


@pytest.mark.timeout(300)
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
        (["import", "/dev/null", "sqlite:/proc/none/x.db"], 2, "is empty"),
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


@pytest.mark.parametrize("scheme", ["leveldb", "sqlite"])
def test_what_is_read_is_never_written_to(scheme: str, tmp_path: Path) -> None:
    """Its files, its folder, and other names of these are refused, also with --force; a link beside it isn't."""
    url = f"{scheme}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        fill(store, ["a"])
    (tmp_path / "other name").symlink_to(tmp_path / "db")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    within = "db/CURRENT" if scheme == "leveldb" else "db-wal"
    for place in ("other name", within):
        told = _run("export", url, str(tmp_path / place), "--force", exit_code=2)
        assert "is part of the database" in told
        for command in (("salvage", url, "--to"), ("copy", url)):
            assert "is part of the database" in _run(*command, f"lmdb:{tmp_path / place}", exit_code=2)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert "ends with this command" in _run("salvage", url, "--to", "memory:", exit_code=2)
    assert "1 resources written" in _run("export", url, str(tmp_path / "db.jsonl"))
