"""`parity backup` and `parity restore`, as a person types them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.main import run
from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from reference_server.config import ServerConfig
from reference_server.tests.conftest import TOKENS, agent
from reference_server.tests.running import Running, running
from reference_server.tests.test_server import CREATE
from stores.backup.restore import check_file
from stores.registry import open_store

Output = pytest.CaptureFixture[str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with running(ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens))) as server:
        server.call(CREATE, agent("First"), Agent, "max-token")
        yield server


def backup(server: Running, out: Path, *more: str, token: str = "") -> int:
    return run(["backup", "--address", server.address, "--token", token or "root-token", "--out", str(out), *more])


def test_a_backup_needs_a_folder_that_is_there(server: Running, tmp_path: Path, capsys: Output) -> None:
    assert backup(server, tmp_path / "absent" / "one") == 2
    assert f"{tmp_path / 'absent'}: no such folder\nmake it first" in capsys.readouterr().err


def test_a_backup_an_increment_and_the_way_back(server: Running, tmp_path: Path, capsys: Output) -> None:
    assert backup(server, tmp_path / "one") == 0
    position = check_file(tmp_path / "one").position
    assert f"the next increment is taken with --since {position}" in capsys.readouterr().out
    made = server.call(CREATE, agent("Second"), Agent, "max-token")
    assert backup(server, tmp_path / "two", "--since", str(position)) == 0
    assert "changes since position" in capsys.readouterr().out
    url = f"sqlite:{tmp_path / 'db'}?codec=protobuf"
    assert run(["restore", str(tmp_path / "one"), str(tmp_path / "two"), "--to", url]) == 0
    with open_store(url) as store:
        assert store.get("agent", made.metadata.id) == made
        assert store.count("agent") == 2
    assert run(["restore", str(tmp_path / "one"), "--to", url]) == 3
    assert "is there already" in capsys.readouterr().err


def test_a_position_that_no_store_has_is_bad_usage(server: Running, tmp_path: Path, capsys: Output) -> None:
    for since in ("-1", str(10**20), "behind"):
        assert backup(server, tmp_path / "new", "--since", since) == 2
        assert "--since" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_there_is_only_replaced_with_force_and_by_a_whole_one(
    server: Running, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "backup"
    out.write_text("precious")
    assert backup(server, out) == 2
    assert "replace it with --force" in capsys.readouterr().err
    assert backup(server, out, "--force", token="max-token") == 1
    assert "PERMISSION_DENIED" in capsys.readouterr().err
    with monkeypatch.context() as patched:
        patched.setattr("parity.backup_cli._received", lambda *_: iter([b"parity backup 1\nH\0\0"]))
        assert backup(server, out, "--force") == 3
    assert "is cut" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert backup(server, out, "--force") == 0
    assert check_file(out).position > 0
    assert {path.name for path in tmp_path.iterdir()} == {"backup", "tokens.toml"}


def test_a_server_that_is_not_there(tmp_path: Path, capsys: Output) -> None:
    assert run(["backup", "--address", "127.0.0.1:1", "--out", str(tmp_path / "backup"), "--timeout", "5"]) == 3
    assert "no server answers" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_falls_silent(
    server: Running, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("reference_server.backup.Backups._taken", nothing)
    assert backup(server, tmp_path / "backup", "--timeout", "0.5") == 3
    assert "sent nothing for 0.5 seconds" in capsys.readouterr().err


def test_a_cut_file_is_refused_and_taken_partially_on_demand(server: Running, tmp_path: Path, capsys: Output) -> None:
    large = agent("Large")
    for number in range(3):
        large.metadata.name, large.spec.instructions = f"Large {number}", "x" * 300_000
        server.call(CREATE, large, Agent, "max-token")
    assert backup(server, tmp_path / "backup") == 0
    raw = (tmp_path / "backup").read_bytes()
    (tmp_path / "cut").write_bytes(raw[: len(raw) // 2])
    url = f"leveldb:{tmp_path / 'db'}"
    assert run(["restore", str(tmp_path / "cut"), "--to", url]) == 3
    assert "--partial" in capsys.readouterr().err
    assert not (tmp_path / "db").exists()
    assert run(["restore", str(tmp_path / "cut"), "--to", url, "--partial"]) == 1
    said = capsys.readouterr().out
    assert "damaged: " in said
    assert "missing: " in said
    assert "of kind agent\n" in said
    with open_store(url) as store:
        assert 0 < store.count("agent") < 4
