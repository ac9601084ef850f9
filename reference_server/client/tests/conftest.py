"""Servers for the client's tests, and a shell to type commands in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.main import run
from reference_server.config import ServerConfig
from reference_server.tests.conftest import TOKENS
from reference_server.tests.running import running


class Shell:
    """Runs commands against one address and keeps what they print."""

    def __init__(self, address: str, capsys: pytest.CaptureFixture[str], *more: str) -> None:
        self.address = address
        self.more = more
        self._capsys = capsys
        self.errors = ""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self._capsys.readouterr()
        got = run([*arguments, "--address", self.address, *self.more])
        printed = self._capsys.readouterr()
        self.errors = printed.err
        assert got == code, f"exit code {got}: {printed.out}{printed.err}"
        return printed.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json"))


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no context of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PARITY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PARITY_CONFIG", str(tmp_path / "no-contexts.yaml"))


@pytest.fixture(scope="session")
def reference_oss() -> Iterator[str]:
    with running(ServerConfig(listen="127.0.0.1:0")) as server:
        yield server.address


@pytest.fixture(scope="session")
def reference_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with running(ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens))) as server:
        yield server.address


@pytest.fixture
def oss_shell(reference_oss: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(reference_oss, capsys)


@pytest.fixture
def cloud_shell(reference_cloud: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Asks as the operator."""
    return Shell(reference_cloud, capsys, "--token", "root-token")
