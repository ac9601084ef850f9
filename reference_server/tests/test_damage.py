"""A damaged store: the server says what is damaged, and goes on with all that isn't."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
import typer
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status
from typer.testing import CliRunner

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceReference
from protos.parity.v1.list_pb2 import ListAgentsResponse, ListRequest
from reference_server.bootstrap import build
from reference_server.cli import serve
from reference_server.config import ServerConfig
from reference_server.store_health import STORE_HEALTH
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running
from reference_server.tests.test_server import CREATE, GET
from reference_server.tests.test_telemetry import scraped_until
from stores.contract import Put, Store
from stores.keyvalue import layout
from stores.registry import open_store
from stores.schema import KINDS
from stores.suite.samples import agent as stored_agent
from stores.suite.samples import put

BY_REFERENCE = "ai.stigmer.agentic.agent.v1.AgentQueryController/getByReference"
LIST = "parity.v1.ListService/ListAgents"
HEALTH = "grpc.health.v1.Health/Check"
NOISE = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(10_000))
"""Fills LevelDB's blocks and SQLite's pages, so that the damaged record shares none with another."""
MARK = "".join(map(chr, range(900, 920)))

Plant = Callable[[Path], None]


def filled(url: str) -> None:
    """Make a database of the agents a and b, with noise between and behind them; b holds the mark."""
    with open_store(url, create=True) as store:
        text = "".join(map(chr, range(33, 1500))) * 4
        store.commit([put("a"), Put("agent", "an", stored_agent("an", text=NOISE))])
        store.commit([Put("agent", "b", stored_agent("b", text=text))])
        store.commit([Put("agent", "bn", stored_agent("bn", text=NOISE))])
        store.compact()


def rows_changed(path: Path, *changes: tuple[bytes, bytes | None]) -> None:
    with open_store(f"leveldb:{path}") as store:
        store.parts[0].write(changes, sync=True)  # type: ignore[attr-defined] # a key-value store


def record_key(id_: str) -> bytes:
    return layout.KindLayout(KINDS["agent"]).record(id_)


def leveldb_undecodable(path: Path) -> None:
    rows_changed(path, (record_key("b"), layout.pack_record(3, 3, b"[]", b"\xff\xff", checksum=False)))


def leveldb_gone(path: Path) -> None:
    rows_changed(path, (record_key("b"), None))


def leveldb_flipped(path: Path) -> None:
    hits = 0
    for file in path.glob("*.ldb"):
        raw = file.read_bytes()
        hits += MARK.encode() in raw
        file.write_bytes(raw.replace(MARK.encode(), MARK.encode()[::-1]))
    assert hits


def sqlite_changed(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    assert database.execute(statement).rowcount == 1
    database.commit()
    database.close()


def sqlite_undecodable(path: Path) -> None:
    sqlite_changed(path, "UPDATE resources SET data = x'ffff' WHERE id = 'b'")


def sqlite_gone(path: Path) -> None:
    sqlite_changed(path, "DELETE FROM resources WHERE id = 'b'")


def sqlite_zeroed(path: Path) -> None:
    """Zero the page in which b's row begins: SQLite finds no page of a table there."""
    raw = bytearray(path.read_bytes())
    size = int.from_bytes(raw[16:18], "big")
    at = raw.rindex(b'[["slug_key",["2","acme","b"]') // size * size
    raw[at : at + size] = bytes(size)
    path.write_bytes(raw)


def by_id(server: Running) -> Any:
    return server.call(GET, AgentId(value="b"), Agent)


def by_slug(server: Running) -> Any:
    return server.call(BY_REFERENCE, ApiResourceReference(slug="b", org="acme", scope=2), Agent)  # type: ignore[arg-type]


def by_any_slug(server: Running) -> Any:
    return server.call(BY_REFERENCE, ApiResourceReference(slug="b"), Agent)


def listed(server: Running) -> Any:
    return server.call(LIST, ListRequest(org="acme"), ListAgentsResponse)


def created_again(server: Running) -> Any:
    return server.call(CREATE, agent("b", slug="b"), Agent)


DAMAGES: dict[str, tuple[str, Plant, tuple[Callable[[Running], Any], ...]]] = {
    "leveldb, undecodable": ("leveldb:{}", leveldb_undecodable, (by_id, by_slug, listed)),
    "leveldb, gone": ("leveldb:{}", leveldb_gone, (by_slug, by_any_slug, listed, created_again)),
    "leveldb, flipped": ("leveldb:{}", leveldb_flipped, (by_id, by_slug, listed)),
    "sqlite, undecodable": ("sqlite:{}?codec=protobuf", sqlite_undecodable, (by_id, by_slug, listed)),
    "sqlite, gone": ("sqlite:{}", sqlite_gone, (by_slug, by_any_slug, listed, created_again)),
    "sqlite, zeroed": ("sqlite:{}?codec=protobuf", sqlite_zeroed, (by_id, by_slug, listed)),
}


def health_of(server: Running, service: str) -> str:
    answer = server.call(HEALTH, health_pb2.HealthCheckRequest(service=service), health_pb2.HealthCheckResponse)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def told(call: Callable[[Running], Any], server: Running) -> error_details_pb2.ErrorInfo:
    with pytest.raises(grpc.RpcError) as caught:
        call(server)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DATA_LOSS, error
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return info


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_and_the_rest_is_served(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    template, plant, requests = DAMAGES[damage]
    url = template.format(tmp_path / "db")
    filled(url)
    plant(tmp_path / "db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        metrics = f"127.0.0.1:{free.getsockname()[1]}"
    with running(ServerConfig(listen="127.0.0.1:0", metrics=metrics), url) as server:
        assert health_of(server, STORE_HEALTH) == "SERVING"
        infos = [told(call, server) for call in requests]
        assert {info.reason for info in infos} == {"CORRUPT_RECORD"}
        assert {info.metadata["kind"] for info in infos} == {"agent"}
        # A listing that meets a page of SQLite's can't say whose rows were on it.
        assert {info.metadata["id"] for info in infos} <= {"b", "?"}
        assert infos[0].metadata["id"] == "b"
        assert (health_of(server, STORE_HEALTH), health_of(server, "")) == ("NOT_SERVING", "SERVING")
        assert server.call(GET, AgentId(value="a"), Agent) == stored_agent("a")
        made = server.call(CREATE, agent("Still Served"), Agent)
        assert server.call(GET, AgentId(value=made.metadata.id), Agent) == made
        text = scraped_until(metrics, f'parity_store_damage_total{{kind="agent"}} {len(requests)}.0')
        assert "parity_store_healthy 0.0" in text
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    logged = [(line["kind"], line["id"]) for line in lines if line["event"] == "the store is damaged"]
    assert ("agent", "b") in logged
    assert len(logged) == len(set(logged)), "each is logged once"


def test_damage_that_one_request_meets_is_not_told_to_those_beside_it(tmp_path: Path) -> None:
    """The counter of an index key is damaged: creations that count under it fail, those beside them don't."""
    url = f"leveldb:{tmp_path / 'db'}"
    filled(url)
    counter = layout.KindLayout(KINDS["agent"]).counter("org", layout.pack_key(("acme",)))
    assert counter is not None
    rows_changed(tmp_path / "db", (counter, b"cut"))
    with open_store(url) as store:
        outcomes = asyncio.run(_created_together(store, ["acme", "globex", "acme", "globex"]))
    assert outcomes == ["DataLoss", "created", "DataLoss", "created"]


async def _created_together(store: Store, orgs: list[str]) -> list[str]:
    application = build(ServerConfig(), store)
    create, caller = application.context.operations["agent-create"], None
    calls = [
        application.executor.execute(create, agent(f"New {number}", org).SerializeToString(), caller)
        for number, org in enumerate(orgs)
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    application.close()
    return [type(each).__name__ if isinstance(each, BaseException) else "created" for each in outcomes]


# ---- at the start


def leveldb_without_meta_of_its_files(path: Path) -> None:
    (path / "CURRENT").write_bytes(b"MANIFEST-999999\n")


def sqlite_without_header(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[100:110] = b"\xff" * 10
    path.write_bytes(raw)


def leveldb_with_a_cut_membership(path: Path) -> None:
    """The row in which a caller's membership is looked for before the server starts."""
    keys = layout.KindLayout(KINDS["iam_policy"])
    packed = layout.pack_key(("identity_account", "root", "", "operator", "platform", "stigmer"))
    rows_changed(path, (keys.unique("tuple", packed), b"cut"))


def leveldb_with_an_undecodable_cursor(path: Path) -> None:
    keys = layout.KindLayout(KINDS["cursor"])
    row = keys.record(f"file:{path.parent / 'events'}")
    rows_changed(path, (row, layout.pack_record(4, 4, b"[]", b"\xff\xff", checksum=False)))


@pytest.mark.parametrize(
    ("url", "plant"),
    [
        ("leveldb:{}", leveldb_without_meta_of_its_files),
        ("sqlite:{}", sqlite_without_header),
        ("leveldb:{}", leveldb_with_a_cut_membership),
        ("leveldb:{}", leveldb_with_an_undecodable_cursor),
    ],
)
def test_damage_found_at_the_start_ends_the_server_before_it_serves(url: str, plant: Plant, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(serve)
    filled(url.format(tmp_path / "db"))
    plant(tmp_path / "db")
    (tmp_path / "tokens.toml").write_text(TOKENS, encoding="utf-8")
    options = {
        "--store": url.format(tmp_path / "db"),
        "--profile": "cloud",
        "--tokens": str(tmp_path / "tokens.toml"),
        "--event-log": str(tmp_path / "events"),
        "--listen": "127.0.0.1:0",
    }
    done = CliRunner().invoke(app, [part for option in options.items() for part in option])
    assert done.exit_code == 3, done.output
    assert "listening on" not in done.stdout
    assert done.stderr.splitlines()[-1].startswith("parity serve: ")
    assert "; " in done.stderr.splitlines()[-1], "there is a hint"
    assert "Traceback" not in done.stderr
