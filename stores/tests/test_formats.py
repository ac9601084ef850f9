"""What is on disk: golden bytes (a change here is a change of the format), refusals, and damage."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from stores.codecs import CODECS, Undecodable, codec_of
from stores.contract import CorruptRecord, Delete, FormatMismatch, InvalidStoreUrl, Put, Store, StoreUnavailable
from stores.engines import plyvel_driver as plyvel
from stores.keyvalue import layout
from stores.registry import open_store
from stores.schema import Index, Kind
from stores.suite.samples import agent, ids_of, put, slug_key

GOLDEN = agent("agt-1", "one", "acme", "Say ä\0.")
GOLDEN.metadata.labels["b"] = "2"
GOLDEN.metadata.labels["a"] = "1"
GOLDEN.status.SetInParent()

WIRE = (
    b'\n\x15agentic.stigmer.ai/v1\x12\x05Agent\x1a+\n\x05agt-1\x12\x03one\x1a\x05agt-1"\x04acme(\x022\x06\n\x01a\x12\x011'
    b'2\x06\n\x01b\x12\x012"\n\x1a\x08Say \xc3\xa4\x00.*\x00'
)
JSON = (
    '{"apiVersion":"agentic.stigmer.ai/v1","kind":"Agent","metadata":{"name":"agt-1","slug":"one","id":"agt-1",'
    '"org":"acme","ownerScope":"organization","labels":{"a":"1","b":"2"}},"spec":{"instructions":"Say ä\\u0000."},'
    '"status":{}}'
).encode()


def test_golden_protobuf() -> None:
    assert codec_of("protobuf").encode(GOLDEN, None) == WIRE


def test_golden_json() -> None:
    assert codec_of("json").encode(GOLDEN, None) == JSON


def test_golden_json_of_google() -> None:
    by_name = orjson.dumps(orjson.loads(JSON), option=orjson.OPT_SORT_KEYS)
    assert codec_of("json-orjson").encode(GOLDEN, None) == by_name
    spaced = codec_of("json-format").encode(GOLDEN, None)
    assert orjson.loads(spaced) == orjson.loads(JSON)
    assert spaced.startswith(
        b'{"apiVersion": "agentic.stigmer.ai/v1", "kind": "Agent", "metadata": {"id": "agt-1", "labels"'
    )


JSON_JUNK = [b"[]", b"{", b"\xff\xff", b'{"kind": 3}', b'{"nope": 3}', b"null", b'"x"', b""]


@pytest.mark.parametrize(
    ("name", "junk"),
    [("protobuf", b"\xff\xff"), ("protobuf", b"\x08")]
    + [(name, junk) for name in CODECS if name != "protobuf" for junk in JSON_JUNK],
)
def test_codecs_refuse_junk(name: str, junk: bytes) -> None:
    with pytest.raises(Undecodable):
        codec_of(name).message(Agent, junk)


def test_unknown_codec() -> None:
    with pytest.raises(InvalidStoreUrl, match="unknown codec 'yaml'"):
        codec_of("yaml")


def test_golden_rows(tmp_path: Path) -> None:
    """Every row that one create leaves in a key-value engine."""
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        store.commit([Put("agent", "agt-1", Agent(metadata={"slug": "s", "org": "o", "owner_scope": 2}))])
    database = plyvel.DB(str(tmp_path / "db"))
    rows = dict(database)
    database.close()
    one = b"\0\0\0\0\0\0\0\1"
    keys = b'[["slug_key",["2","o","s"]],["slug",["s"]],["org",["o"]]]'
    assert rows == {
        b"M": b'{"product":"parity-store","format":4,"codec":"protobuf"}',
        b"S": one + one + b"\x05agent" + one,
        b"r\x05agentagt-1": b"\0\0\0"
        + bytes([len(keys)])
        + b"\0\0\0\0"
        + one
        + one
        + keys
        + b'\x1a\x08\x12\x01s"\x01o(\x02',
        b"o\x05agent" + bytes(8): b"\1\0\0\0\5agt-1",
        b'u\x05agent\x08slug_key["2","o","s"]': one + b"agt-1",
        b'c\x05agent\x04slug["s"]': one + one + b"agt-1",
        b'c\x05agent\x03org["o"]': one + one + b"agt-1",
    }


def test_golden_rows_of_an_index_key(tmp_path: Path) -> None:
    """The only entry of a key stands in its counter; more have rows, and keep them when they become fewer."""
    path, one, two, three = tmp_path / "db", *(b"\0\0\0\0\0\0\0" + bytes([number]) for number in (1, 2, 3))
    count, row = b'c\x05agent\x03org["o"]', b'i\x05agent\x03org["o"]'

    def rows_after(*batch: Put | Delete) -> dict[bytes, bytes]:
        with open_store(f"leveldb:{path}", create=True) as store:
            store.commit(batch)
            ids = [record.id for record in store.scan("agent", index="org", key=("o",))]
            assert store.count("agent", index="org", key=("o",)) == len(ids)
        database = plyvel.DB(str(path))
        found = {key: value for key, value in database if key.startswith((count, row))}
        database.close()
        return found

    def of(name: str) -> Put:
        return Put("agent", name, Agent(metadata={"org": "o"}))

    assert rows_after(of("a")) == {count: one + one + b"a"}
    assert rows_after(of("b")) == {count: two, row + one: b"a", row + two: b"b"}
    assert rows_after(Delete("agent", "a")) == {count: one, row + two: b"b"}
    assert rows_after(of("c"), Delete("agent", "b")) == {count: one + three + b"c"}
    assert rows_after(Delete("agent", "c")) == {}


def test_golden_rows_of_a_policy(tmp_path: Path) -> None:
    """All that is derived from one: no index of a policy goes without counters."""
    spec = {
        "principal": {"kind": "team", "id": "t", "relation": "member"},
        "relation": "editor",
        "resource": {"kind": "agent", "id": "a"},
    }
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        store.commit([Put("iam_policy", "p", IamPolicy(spec=spec))])
    database = plyvel.DB(str(tmp_path / "db"))
    rows = {key: value for key, value in database if key[:1] in b"uic"}
    database.close()
    one = b"\0\0\0\0\0\0\0\1"
    assert rows == {
        b'u\x0aiam_policy\x05tuple["team","t","member","editor","agent","a"]': one + b"p",
        b'c\x0aiam_policy\x08resource["agent","a"]': one + one + b"p",
        b'c\x0aiam_policy\x09principal["team","t"]': one + one + b"p",
        b'c\x0aiam_policy\x07userset["editor","agent","a"]': one + one + b"p",
    }


def test_golden_order_rows(tmp_path: Path) -> None:
    """Resources of a kind in one span of positions share a row; the last one to go takes it along."""
    path = tmp_path / "db"

    def rows_after(*batches: list[Put | Delete]) -> dict[bytes, bytes]:
        with open_store(f"leveldb:{path}", create=True) as store:
            for batch in batches:
                store.commit(batch)
            found = [(record.position, record.id) for record in store.scan("agent")]
            assert found == sorted(found)
            assert [record.id for record in store.scan("agent", after=15)] == [id_ for at, id_ in found if at > 15]
        database = plyvel.DB(str(path))
        rows = {key[7:]: value for key, value in database if key.startswith(b"o\x05agent")}
        database.close()
        return rows

    def of(number: int) -> list[Put | Delete]:
        return [Put("agent", f"a{number}", Agent())]

    first, second = b"".join(b"%c\0\0\0\2a%d" % (at, at) for at in range(1, 10)), bytes(7) + b"\1"
    assert rows_after(*(of(number) for number in range(1, 10))) == {bytes(8): first}
    rows = rows_after(*(of(number) for number in range(10, 18)))
    assert list(rows) == [bytes(8), second]
    assert rows[second] == b"\0\0\0\0\3a16\1\0\0\0\3a17"
    assert rows_after([Delete("agent", "a16")])[second] == b"\1\0\0\0\3a17"
    assert list(rows_after([Delete("agent", "a17")])) == [bytes(8)]


def test_a_cut_order_row_is_corruption_not_the_end(tmp_path: Path) -> None:
    url = f"leveldb:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        store.commit([Put("agent", "a", Agent()), Put("agent", "b", Agent())])
        engine = store.parts[0]  # type: ignore[attr-defined] # a key-value store
        row = b"o\x05agent" + bytes(8)
        for cut in (1, 6):
            engine.write([(row, engine.get(row)[:-cut])], sync=False)
            with pytest.raises(CorruptRecord):
                list(store.scan("agent"))
            with pytest.raises(CorruptRecord):
                store.commit([Delete("agent", "a")])


def test_a_damaged_order_row_fails_only_who_needs_it(tmp_path: Path) -> None:
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        numbers = range(layout.ORDER_SPAN + 2)
        store.commit([Put("agent", f"a{number}", Agent()) for number in numbers])
        engine = store.parts[0]  # type: ignore[attr-defined] # a key-value store
        row = b"o\x05agent" + bytes(8)
        engine.write([(row, engine.get(row)[:-1])], sync=False)
        changed = Agent(kind="changed")
        outcomes = store.commit_many(
            [
                [Put("agent", "new", Agent())],
                [Delete("agent", "a1"), Put("agent", "newer", Agent())],
                [Put("agent", "a2", changed)],
                [Delete("agent", "a3")],
                [Delete("agent", f"a{numbers[-1]}")],
            ]
        )
        failed = [str(each) for each in outcomes if isinstance(each, CorruptRecord)]
        assert [isinstance(each, CorruptRecord) for each in outcomes] == [False, True, False, True, False]
        assert ["'a1' is corrupt" in failed[0], "'a3' is corrupt" in failed[1]] == [True, True]
        assert "delete it" not in str(failed)
        there = {id_: store.get("agent", id_) for id_ in ("new", "newer", "a1", "a2", "a3", f"a{numbers[-1]}")}
        assert [id_ for id_, message in there.items() if message is None] == ["newer", f"a{numbers[-1]}"]
        assert there["a2"] == changed
        assert store.count("agent") == len(numbers)


def test_golden_checksum() -> None:
    value = layout.pack_record(1, 2, b"[]", b"message", checksum=True)
    assert value == b"\0\0\0\x02" + b"\x13}/W" + b"\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2[]message"
    assert layout.message_of(value) == b"message"
    for at in range(len(value)):
        broken = value[:at] + bytes([value[at] ^ 0x40]) + value[at + 1 :]
        with pytest.raises(layout.Damaged):
            layout.message_of(broken)


def test_keys_fit_every_engine() -> None:
    indexes = (Index("n" * 120), Index("u" * 120, unique=True))
    widest = layout.KindLayout(Kind("k" * 120, Agent, indexes, lambda _: ()))
    key = ("x" * 500, "y" * 500)
    made = [
        widest.record("i" * 9000),
        widest.index_range("n" * 120, layout.pack_key(key), 0)[0],
        widest.unique("u" * 120, layout.pack_key(("x" * 176,))),
    ]
    assert max(map(len, made)) <= layout.KEY_BYTES_MAX


def test_sqlite_is_readable_by_any_tool(tmp_path: Path) -> None:
    with open_store(f"sqlite:{tmp_path / 'db'}", create=True) as store:
        store.commit([put("agt-1", "one")])
        # while the store is open, as a person would look at it
        tool = sqlite3.connect(tmp_path / "db")
        found = tool.execute(
            "SELECT id, typeof(data), json_extract(data, '$.metadata.slug') FROM resources WHERE kind = 'agent'"
        ).fetchall()
        entries = tool.execute("SELECT index_name, key, id FROM unique_entries").fetchall()
        tool.close()
    assert found == [("agt-1", "text", "one")]
    assert entries == [("slug_key", '["2","acme","one"]', "agt-1")]


# ---- refusals


def _as_leveldb(path: Path, version: int) -> None:
    database = plyvel.DB(str(path))
    database.put(b"M", b'{"product":"parity-store","format":%d,"codec":"protobuf"}' % version)
    database.close()


def _as_sqlite(path: Path, version: int) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()


@pytest.mark.parametrize("difference", [-1, 1])
@pytest.mark.parametrize(("scheme", "stamp", "own"), [("leveldb", _as_leveldb, 4), ("sqlite", _as_sqlite, 3)])
def test_another_format_is_refused(
    scheme: str, stamp: Callable[[Path, int], None], own: int, difference: int, tmp_path: Path
) -> None:
    version = own + difference
    path = tmp_path / "db"
    open_store(f"{scheme}:{path}", create=True).close()
    stamp(path, version)
    with pytest.raises(FormatMismatch, match=f"has format {version}; this program reads format {own}") as refusal:
        open_store(f"{scheme}:{path}", create=True)
    assert "export" in refusal.value.hint


@pytest.mark.parametrize("scheme", ["leveldb", "sqlite", "lmdb", "rocksdb"])
def test_other_codec_is_refused(scheme: str, tmp_path: Path) -> None:
    open_store(f"{scheme}:{tmp_path / 'db'}?codec=json", create=True).close()
    with pytest.raises(FormatMismatch, match="codec 'json', not 'protobuf'"):
        open_store(f"{scheme}:{tmp_path / 'db'}?codec=protobuf", create=True)
    open_store(f"{scheme}:{tmp_path / 'db'}?codec=json", create=True).close()


def test_strangers_databases_are_refused(tmp_path: Path) -> None:
    database = plyvel.DB(str(tmp_path / "level"), create_if_missing=True)
    database.put(b"hello", b"world")
    database.close()
    with pytest.raises(FormatMismatch, match="isn't ours"):
        open_store(f"leveldb:{tmp_path / 'level'}", create=True)
    tables = sqlite3.connect(tmp_path / "tables.db")
    tables.execute("CREATE TABLE t (x)")
    tables.close()
    with pytest.raises(FormatMismatch, match="aren't ours"):
        open_store(f"sqlite:{tmp_path / 'tables.db'}", create=True)
    (tmp_path / "text.db").write_text("This is no database, but it is long enough to be looked at. " * 20)
    with pytest.raises(FormatMismatch, match="no SQLite database"):
        open_store(f"sqlite:{tmp_path / 'text.db'}", create=True)


# ---- damage


def _flip(path: Path, text: bytes) -> None:
    """Change one byte of a text wherever a file under the path holds it."""
    files = [file for file in ([path] if path.is_file() else path.iterdir()) if file.is_file()]
    hits = 0
    for file in files:
        raw = file.read_bytes()
        if text in raw:
            hits += 1
            file.write_bytes(raw.replace(text, bytes([text[0] ^ 1]) + text[1:]))
    assert hits, "the text is in no file, so nothing was damaged"


def _check_damage(store: Store) -> None:
    for read in (store.get, store.get_bytes, store.get_record):
        with pytest.raises(CorruptRecord, match="agent 'b' is corrupt") as damage:
            read("agent", "b")
        assert (damage.value.kind, damage.value.id) == ("agent", "b")
    assert store.get("agent", "a") == agent("a")
    with pytest.raises(CorruptRecord):
        list(store.scan("agent"))
    assert store.find("agent", "slug_key", slug_key("a")) == "a"


@pytest.mark.parametrize("url", ["sqlite:{}", "sqlite:{}?codec=protobuf", "lmdb:{}", "lmdb:{}?codec=json"])
def test_damage_is_named(url: str, tmp_path: Path) -> None:
    path = tmp_path / "db"
    with open_store(url.format(path), create=True) as store:
        store.commit([put("a"), Put("agent", "b", agent("b", text="DAMAGE HERE please"))])
    _flip(path, b"DAMAGE HERE")
    with open_store(url.format(path), create=True) as store:
        _check_damage(store)


@pytest.mark.parametrize("scheme", ["leveldb", "rocksdb"])
def test_damage_of_a_table_file(scheme: str, tmp_path: Path) -> None:
    """Log-structured engines check whole blocks: what shares the block is lost with it, and is named."""
    path = tmp_path / "db"
    with open_store(f"{scheme}:{path}", create=True) as store:
        noise = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(10_000))
        last = "".join(map(chr, range(33, 1500)))
        store.commit([put("a"), Put("agent", "aa", agent("aa", text=noise)), Put("agent", "b", agent("b", text=last))])
        store.compact()
    text = "".join(map(chr, range(900, 920))).encode()
    _flip(path, text)
    with (
        open_store(f"{scheme}:{path}", create=True) as store,
        pytest.raises(CorruptRecord, match="agent 'b' is corrupt"),
    ):
        store.get("agent", "b")


def test_a_row_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        store.commit([put("a"), put("b"), put("c")])
    database = plyvel.DB(str(tmp_path / "db"))
    database.put(b"r\x05agentb", layout.pack_record(2, 2, b"[]", b"\xff\xff", checksum=False))
    database.delete(b"r\x05agentc")
    database.close()
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        with pytest.raises(CorruptRecord, match="agent 'b' is corrupt"):
            store.get("agent", "b")
        assert store.get("agent", "a") == agent("a")
        assert ids_of(store.scan("agent", limit=1)) == ["a"]
        with pytest.raises(CorruptRecord, match="agent 'c' is corrupt: an index names it"):
            list(store.scan("agent"))


def test_a_write_that_failed_ends_the_commits(tmp_path: Path) -> None:
    """After a failed write nobody knows what is on disk, so nothing is acknowledged before the store was reopened."""
    store = open_store(f"leveldb:{tmp_path / 'db'}", create=True)
    store.commit([put("a")])
    engine = store._engine  # type: ignore[attr-defined] # the engine is what fails here
    write = engine.write

    def fails(*_: object, **__: object) -> None:
        raise StoreUnavailable("no space left on device")

    engine.write = fails
    with pytest.raises(StoreUnavailable, match="no space left"):
        store.commit([put("b")])
    engine.write = write
    with pytest.raises(StoreUnavailable, match="an earlier write failed"):
        store.commit([put("c")])
    assert ids_of(store.scan("agent")) == ["a"]
    assert store.last_position() == 1
    store.close()
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as again:
        assert again.commit([put("b")]) == 2
