"""The migration's layout: keys Kind/id, raw protobuf values; read only, and imported whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization
from stores.contract import FormatMismatch, StoreLocked
from stores.engines.badger.cli import import_legacy_command
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.legacy import LegacyDatabase, LegacyError, import_legacy
from stores.engines.badger.rooms import NeedsWriting
from stores.memory import MemoryStore
from stores.registry import open_store

pytestmark = pytest.mark.usefixtures("library")
UNKNOWN_FIELD = b"\xc2\x3e\x05newer"
"""Field 1000, length-delimited: what a newer schema may have written."""


def agent(number: int, created: int) -> Agent:
    message = Agent(api_version="agentic.stigmer.ai/v1", kind="Agent")
    message.metadata.id = f"agt-{number}"
    message.metadata.name = f"Agent {number}"
    message.metadata.slug = f"agent-{number}"
    message.metadata.org = "acme"
    message.metadata.owner_scope = organization
    message.spec.instructions = "Tell \0 and ✓. " * number
    message.status.audit.spec_audit.created_at.seconds = created
    return message


def instance(agent_id: str) -> AgentInstance:
    message = AgentInstance()
    message.metadata.id = f"ain-of/{agent_id}"
    message.metadata.slug = f"default-{agent_id}"
    message.spec.agent_id = agent_id
    return message


def old_database(folder: Path, rows: Mapping[bytes, bytes]) -> Path:
    engine = BadgerEngine(folder, Settings(sync_writes=True))
    engine.write(rows.items(), sync=True)
    engine.close()
    return folder


def agents_and_instances() -> dict[bytes, bytes]:
    agents = [agent(number, 1_700_000_000 - number) for number in range(1, 260)]
    rows = {b"Agent/" + each.metadata.id.encode(): each.SerializeToString() for each in agents}
    rows[b"Agent/agt-7"] += UNKNOWN_FIELD
    rows[b"AgentInstance/ain-of/agt-1"] = instance("agt-1").SerializeToString()
    return rows


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("scheme", ["leveldb", "sqlite", "badger"])
def test_messages_come_over_in_order_of_creation(tmp_path: Path, scheme: str) -> None:
    rows = agents_and_instances()
    folder = old_database(tmp_path / "old", rows)
    before = contents(folder)
    source = LegacyDatabase(folder)
    with open_store(f"{scheme}:{tmp_path / 'new'}?codec=protobuf", create=True) as target:
        imported = import_legacy(source, target)
        assert imported.written == {"agent": 259, "agent_instance": 1}
        records = list(target.scan("agent"))
        assert [record.id for record in records] == [f"agt-{number}" for number in range(259, 0, -1)]
        assert {b"Agent/" + record.id.encode(): record.data for record in records} == {
            key: value for key, value in rows.items() if key.startswith(b"Agent/")
        }
        assert target.find("agent_instance", "agent", ("agt-1",)) == "ain-of/agt-1"
        again = import_legacy(source, target)
        assert (again.written, again.present) == ({}, {"agent": 259, "agent_instance": 1})
    source.close()
    assert contents(folder) == before, "the old database was changed"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (b"Tool/t-1", b"", "not Kind/id"),
        (b"Agent", b"", "not Kind/id"),
        (b"Agent/", b"", "not Kind/id"),
        (b"Agent/\xff\xfe", b"", "not Kind/id"),
        (b"Agent/agt-x", b"\xff\xff\xff", "doesn't hold a agent"),
        (b"Agent/agt-x", agent(1, 0).SerializeToString(), "whose id is 'agt-1'"),
    ],
)
def test_what_is_no_resource_is_named_before_anything_is_written(
    tmp_path: Path, key: bytes, value: bytes, words: str
) -> None:
    folder = old_database(tmp_path / "old", {**agents_and_instances(), key: value})
    source, target = LegacyDatabase(folder), MemoryStore()
    with pytest.raises(LegacyError, match=words):
        import_legacy(source, target)
    assert target.count("agent") == 0
    if "not Kind" in words:
        assert import_legacy(source, target, skip_unknown=True).written["agent"] == 259
    source.close()


def test_another_resource_in_the_store_is_never_overwritten(tmp_path: Path) -> None:
    folder = old_database(tmp_path / "old", {b"Agent/agt-1": agent(1, 5).SerializeToString()})
    other = old_database(tmp_path / "other", {b"Agent/agt-1": agent(1, 6).SerializeToString()})
    target = MemoryStore()
    for each in (folder, other):
        source = LegacyDatabase(each)
        if each is folder:
            import_legacy(source, target)
        else:
            with pytest.raises(LegacyError, match="agt-1"):
                import_legacy(source, target)
        source.close()
    assert target.get("agent", "agt-1") == agent(1, 5)


def test_a_folder_without_database_and_one_in_use(tmp_path: Path) -> None:
    with pytest.raises(FormatMismatch, match="no MANIFEST"):
        LegacyDatabase(tmp_path)
    assert list(tmp_path.iterdir()) == []
    engine = BadgerEngine(tmp_path / "old", Settings(sync_writes=True))
    with pytest.raises(StoreLocked):
        LegacyDatabase(tmp_path / "old")
    engine.close()


@pytest.mark.parametrize("recover", [False, True])
def test_a_database_that_was_not_closed(tmp_path: Path, recover: bool) -> None:
    script = """
import os, sys
from pathlib import Path
from stores.engines.badger.engine import BadgerEngine, Settings
engine = BadgerEngine(Path(sys.argv[1]), Settings(sync_writes=True))
engine.write([(b"Agent/agt-1", bytes.fromhex(sys.argv[2]))], sync=True)
os.kill(os.getpid(), 9)
"""
    data = agent(1, 5).SerializeToString()
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "old"), data.hex()], timeout=60, check=False)
    if not recover:
        with pytest.raises(NeedsWriting, match="not closed cleanly") as refusal:
            LegacyDatabase(tmp_path / "old")
        assert "--recover" in refusal.value.hint
        return
    source, target = LegacyDatabase(tmp_path / "old", recover=True), MemoryStore()
    import_legacy(source, target)
    source.close()
    assert target.get_bytes("agent", "agt-1") == data


def test_the_command(tmp_path: Path) -> None:
    application = typer.Typer()
    application.command()(import_legacy_command)
    folder = old_database(tmp_path / "old", agents_and_instances())
    finished = CliRunner().invoke(application, [str(folder), f"leveldb:{tmp_path / 'new'}"])
    assert finished.exit_code == 0, finished.output
    assert "260 resources written" in finished.output
    assert "agent: 259 written, 0 there already" in finished.output
