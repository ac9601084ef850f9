"""Backup files: whole or refused, and back into any store with the positions that they had."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.parity.v1.admin_pb2 import BackupHeader
from protos.parity.v1.event_pb2 import CloudEvent, Cursor
from stores.backup.frames import MAGIC, BackupReader, BadBackupFile, written
from stores.backup.restore import check_file, restore
from stores.backup.snapshot import Changed, contract_digest, take_increment, take_snapshot
from stores.contract import Delete, InvalidOperation, InvalidStoreUrl, Put, Store, StoreUnavailable
from stores.integrity.verify import verify
from stores.memory import MemoryStore
from stores.registry import SCHEMES, open_store, unavailable
from stores.schema import KINDS
from stores.suite.samples import agent, instance, policy, put

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]
NOW = Timestamp(seconds=1_700_000_000)


def event(id_: str, about: str, message: Agent) -> Put:
    told = CloudEvent(id=id_, source="tests", spec_version="1.0", type="changed", subject=about)
    told.data.Pack(message)
    return Put("event", id_, told)


def made(store: Store, number: int) -> None:
    """Create an agent with its instance, policy and event."""
    id_ = f"a{number:03d}"
    message = agent(id_, text=Random(number).randbytes(2000).hex())
    store.commit(
        [
            Put("agent", id_, message, "absent"),
            Put("agent_instance", f"i{number:03d}", instance(f"i{number:03d}", id_), "absent"),
            Put("iam_policy", f"p{number:03d}", policy(f"p{number:03d}", "owner", resource=id_), "absent"),
            event(f"e{number:03d}", id_, message),
        ]
    )


def backed_up(store: Store, path: Path, since: int = 0) -> Path:
    changed = Changed(since)
    snapshot = take_increment(store, NOW, since, changed) if since else take_snapshot(store, NOW)
    path.write_bytes(b"".join(written(snapshot.header, snapshot.blocks())))
    return path


def contents(store: Store) -> dict[tuple[str, str], tuple[int, bytes]]:
    return {(r.kind, r.id): (r.position, r.data) for kind in KINDS for r in store.scan(kind)}


@pytest.fixture
def source() -> Iterator[Store]:
    with MemoryStore() as store:
        for number in range(150):
            made(store, number)
        store.commit([Delete("agent_instance", "i007"), Delete("agent", "a007"), Delete("iam_policy", "p007")])
        store.commit([put("last"), Delete("agent", "last")])
        yield store


# ---- there and back


@pytest.mark.parametrize("codec", ["protobuf", "json"])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_restored_is_what_was_there(engine: str, codec: str, source: Store, tmp_path: Path) -> None:
    file = backed_up(source, tmp_path / "backup")
    url = f"{engine}:{tmp_path / 'new'}?codec={codec}"
    restored = restore([file], url)
    assert restored.is_whole
    with open_store(url) as store:
        assert contents(store) == contents(source)
        assert store.last_position() == source.last_position(), "no position is given out twice"
        assert store.commit([put("next")]) == source.last_position() + 1
        assert store.get("cursor", "restored") is None
    assert verify(url) == []
    assert {path.name for path in tmp_path.iterdir()} >= {"new", "backup"}
    assert not list(tmp_path.glob(".*")), "nothing of the building is left"


@pytest.mark.parametrize("engine", ["leveldb", "sqlite"])
def test_increments_bring_what_changed(engine: str, source: Store, tmp_path: Path) -> None:
    whole = backed_up(source, tmp_path / "whole")
    first = source.last_position()
    changed = agent("a003", text="changed since")
    source.commit([Put("agent", "a003", changed, "present"), event("c1", "a003", changed)])
    source.commit([Delete("agent", "a004"), Delete("iam_policy", "p004"), event("c2", "a004", agent("a004"))])
    source.commit([Delete("iam_policy", "p005"), Put("iam_policy", "again", policy("again", "owner", resource="a005"))])
    source.commit([Put("cursor", "sink", Cursor(name="sink", position=first))])
    made(source, 900)
    second = source.last_position()
    one = backed_up(source, tmp_path / "one", first)
    source.commit([Put("agent", "a004", agent("a004"), "absent"), event("c3", "a004", agent("a004"))])
    source.commit([Delete("event", f"e{number:03d}") for number in range(20)])
    source.commit([Put("cursor", "sink", Cursor(name="sink", position=second))])
    two = backed_up(source, tmp_path / "two", second)
    url = f"{engine}:{tmp_path / 'new'}"
    assert restore([whole, one, two], url).is_whole
    with open_store(url) as store:
        assert contents(store) == contents(source)
        assert store.last_position() == source.last_position()
    assert verify(url) == []
    assert two.stat().st_size < whole.stat().st_size / 20
    for wrong in ([one], [whole, two], [one, whole], [whole, whole]):
        with pytest.raises(BadBackupFile, match="is needed here"):
            restore(wrong, f"{engine}:{tmp_path / 'wrong'}")
    assert not (tmp_path / "wrong").exists()


def test_an_increment_of_another_database_is_refused_although_its_positions_fit(tmp_path: Path) -> None:
    files: dict[str, list[Path]] = {}
    for name in ("a", "b"):
        with MemoryStore() as store:
            since = 0
            for number in range(3):
                id_ = f"{name}{number}"
                owner = Put("iam_policy", id_, policy(id_, "owner", resource=id_), "absent")
                store.commit([put(id_), owner, event(f"e-{id_}", id_, agent(id_))])
                files.setdefault(name, []).append(backed_up(store, tmp_path / id_, since))
                since = store.last_position()
    (first, *later), others = files["a"], files["b"][1:]
    url = f"leveldb:{tmp_path / 'db'}"
    for chain in ([first, others[0]], [first, later[0], others[1]], [first, *others]):
        with pytest.raises(BadBackupFile, match="doesn't follow the file before it"):
            restore(chain, url)
        assert not (tmp_path / "db").exists()
    assert restore([first, *later], url).is_whole


def test_unknown_fields_that_the_target_loses_are_named(tmp_path: Path) -> None:
    with MemoryStore() as source:
        newer = agent("a").SerializeToString() + b"\xfa\x7f\x03new"
        source.commit([Put("agent", "a", Agent.FromString(newer), data=newer), put("b")])
        file = backed_up(source, tmp_path / "backup")
    kept = restore([file], f"leveldb:{tmp_path / 'kept'}")
    lost = restore([file], f"leveldb:{tmp_path / 'lost'}?codec=json")
    assert (kept.changed, lost.changed) == ([], [("agent", "a")])
    assert (kept.is_whole, lost.is_whole) == (True, False)


@pytest.mark.parametrize("engine", ["memory", *ENGINES])
def test_a_position_is_never_given_out_twice(engine: str, tmp_path: Path) -> None:
    url = "memory:" if engine == "memory" else f"{engine}:{tmp_path / 'db'}"
    with open_store(url, create=True) as store:
        assert store.commit([Put("agent", "a", agent("a"), position=40), put("b")]) == 41
        for position in (0, 40, 41):
            with pytest.raises(InvalidOperation):
                store.commit([Put("agent", "c", agent("c"), position=position)])
        assert store.commit([put("c")]) == 42
        assert store.commit([Put("agent", "d", agent("d"), position=900), Delete("agent", "d")]) == 900
        assert store.last_position() == 900
        assert [(record.id, record.position) for record in store.scan("agent")] == [("a", 40), ("b", 41), ("c", 42)]


# ---- what is refused


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with MemoryStore() as store:
        for number in range(3):
            made(store, number)
        return backed_up(store, tmp_path_factory.mktemp("small") / "backup").read_bytes()


def refused(raw: bytes, folder: Path) -> str:
    file = folder / "damaged"
    file.write_bytes(raw)
    with pytest.raises(BadBackupFile) as caught:
        restore([file], f"leveldb:{folder / 'new'}")
    assert not (folder / "new").exists()
    return f"{caught.value}; {caught.value.hint}"


def test_a_cut_file_is_refused_wherever_it_is_cut(small: bytes, tmp_path: Path) -> None:
    for size in range(len(small)):
        with pytest.raises(BadBackupFile, match=r"is cut|no backup"):
            list(BackupReader(BytesIO(small[:size]), "backup").blocks())
    assert "is cut: it ends at byte" in refused(small[:-1], tmp_path)
    assert "is empty" in refused(b"", tmp_path)
    assert "no backup" in refused(b"x" * 500, tmp_path)
    assert "follows the footer" in refused(small + b"x", tmp_path)


@given(data=st.data())
def test_a_changed_byte_is_refused(data: st.DataObject, small: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    at = data.draw(st.integers(0, len(small) - 1))
    changed = bytearray(small)
    changed[at] ^= data.draw(st.integers(1, 255))
    refused(bytes(changed), tmp_path_factory.mktemp("changed"))


def test_a_block_that_is_left_out_or_comes_twice_is_refused(source: Store, tmp_path: Path) -> None:
    snapshot = take_snapshot(source, NOW)
    frames = list(written(snapshot.header, snapshot.blocks()))
    assert len(frames) > 4
    assert "records, not" in refused(b"".join([*frames[:2], *frames[3:]]), tmp_path)
    assert "records, not" in refused(b"".join([*frames[:2], *frames[1:]]), tmp_path)
    swapped = [frames[0], frames[2], frames[1], *frames[3:]]
    assert "digest" in refused(b"".join(swapped), tmp_path)


def test_newer_formats_and_unknown_kinds_are_refused(tmp_path: Path) -> None:
    newer = b"".join(written(BackupHeader(format=2), []))
    assert "this program reads format 1" in refused(newer, tmp_path)
    strange = BackupHeader(format=1)
    strange.counts.add(kind="spaceship", resources=1)
    assert "'spaceship'" in refused(b"".join(written(strange, [])), tmp_path)


def test_a_file_that_counts_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    header = BackupHeader(format=1)
    header.counts.add(kind="agent", resources=1)
    assert "{'agent': 1}" in refused(b"".join(written(header, [])), tmp_path)


def test_a_restore_touches_nothing_that_is_there(small: bytes, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_bytes(small)
    url = f"sqlite:{tmp_path / 'db'}"
    restore([file], url)
    before = (tmp_path / "db").read_bytes()
    with pytest.raises(StoreUnavailable, match="is there already"):
        restore([file], url)
    assert (tmp_path / "db").read_bytes() == before
    with pytest.raises(InvalidStoreUrl):
        restore([file], "memory:")


def test_a_restore_that_fails_leaves_nothing(small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup"
    file.write_bytes(small)

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("stores.backup.restore._move_all", fails)
    with pytest.raises(OSError, match="No space left"):
        restore([file], f"leveldb:{tmp_path / 'new'}")
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


# ---- what is taken nevertheless


def partially(raw: bytes, folder: Path) -> tuple[dict[str, int], list[str], dict[tuple[str, str], tuple[int, bytes]]]:
    file = folder / "damaged"
    file.write_bytes(raw)
    url = f"leveldb:{folder / 'new'}"
    restored = restore([file], url, partial=True)
    with open_store(url) as store:
        return restored.missing, restored.damages, contents(store)


def test_a_partial_restore_takes_the_rest_and_says_what_is_missing(source: Store, tmp_path: Path) -> None:
    snapshot = take_snapshot(source, NOW)
    frames = list(written(snapshot.header, snapshot.blocks()))
    broken = bytearray(frames[2])
    broken[500] ^= 1
    missing, damages, there = partially(b"".join([*frames[:2], bytes(broken), *frames[3:]]), tmp_path)
    everything = contents(source)
    lost = everything.keys() - there.keys()
    assert {name: everything[name] for name in there} == there
    assert missing == {kind: number for kind in KINDS if (number := sum(name[0] == kind for name in lost))}
    assert 0 < len(lost) < len(everything) / 2
    assert "checksum" in damages[0]


def test_a_partial_restore_of_a_cut_file_takes_what_is_before(source: Store, tmp_path: Path) -> None:
    whole = backed_up(source, tmp_path / "whole").read_bytes()
    missing, damages, there = partially(whole[: len(whole) // 2], tmp_path)
    assert len(there) + sum(missing.values()) == len(contents(source))
    assert len(there) > len(contents(source)) / 4
    assert "is cut" in damages[0]
    with pytest.raises(BadBackupFile, match="takes one file"):
        restore([tmp_path / "whole", tmp_path / "whole"], f"leveldb:{tmp_path / 'two'}", partial=True)


def test_a_whole_file_is_whole_for_a_partial_restore_too(small: bytes, tmp_path: Path) -> None:
    missing, damages, there = partially(small, tmp_path)
    assert (missing, damages, len(there)) == ({}, [], 12)


# ---- the format


def test_golden_bytes() -> None:
    with MemoryStore() as store:
        store.commit([Put("cursor", "c", Cursor(name="c", position=7))])
        snapshot = take_snapshot(store, NOW)
        raw = b"".join(written(snapshot.header, snapshot.blocks()))
    begin = len(MAGIC)
    header_size = int.from_bytes(raw[begin + 1 : begin + 5], "big")
    block = begin + 9 + header_size
    assert raw[:begin] == b"parity backup 1\n"
    assert raw[begin : begin + 1] == b"H"
    assert raw[block : block + 5] == b"B\0\0\0\x16"
    assert raw[block + 9 : block + 9 + 0x16] == b'\n\x14\n\x06cursor\x12\x01c\x18\1"\x05\n\x01c\x10\x07'
    assert raw[block + 9 + 0x16 : block + 9 + 0x16 + 1] == b"F"


def test_the_header_says_what_it_is_of(source: Store, tmp_path: Path) -> None:
    header = check_file(backed_up(source, tmp_path / "backup"))
    assert (header.format, header.since_position, header.position) == (1, 0, source.last_position())
    assert {each.kind: each.resources for each in header.counts} == {kind: source.count(kind) for kind in KINDS}
    assert header.contract == contract_digest()
    with (tmp_path / "backup").open("rb") as file:
        blocks = list(BackupReader(file, "backup").blocks())
    positions = [record.position for block in blocks for record in block.records]
    assert positions == sorted(positions)
    assert len(blocks) > 1


def test_a_snapshot_is_of_one_moment(tmp_path: Path) -> None:
    with open_store(f"leveldb:{tmp_path / 'db'}", create=True) as store:
        for number in range(5):
            made(store, number)
        before = contents(store)
        snapshot = take_snapshot(store, NOW)
        for number in range(5, 200):
            made(store, number)
        store.commit([Delete("agent", "a001"), Put("agent", "a002", agent("a002", text="later"))])
        found = {(r.kind, r.id): (r.position, r.data) for block in snapshot.blocks() for r in block.records}
    assert found == before
