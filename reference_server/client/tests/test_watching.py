"""Policies, events and watches of the client, against the reference server, with and without what it may not offer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reference_server.client.events import Watch
from reference_server.client.failures import Unreachable
from reference_server.client.server import Endpoint, Server
from reference_server.client.tests.conftest import Shell
from reference_server.config import ServerConfig
from reference_server.pipelines import OPERATIONS
from reference_server.tests.conftest import TOKENS
from reference_server.tests.running import running


def test_policies_are_granted_asked_and_revoked(cloud_shell: Shell) -> None:
    made = cloud_shell.json("agent", "create", "guarded", "--org", "acme")
    ask = ("auth", "can-i", "delete", "agent/guarded", "--as", "eve")
    assert cloud_shell(*ask, code=1) == "no\n"
    assert cloud_shell("policy", "grant", "eve", "owner", "agent/guarded").endswith(" granted\n")
    assert cloud_shell(*ask) == "yes\n"
    assert "eve" in cloud_shell("policy", "who", "owner", f"agent/{made['metadata']['id']}").split()
    assert made["metadata"]["id"] in cloud_shell("policy", "what", "can_edit", "agent", "--as", "eve").split()
    granted = cloud_shell("policy", "revoke", "eve", "owner", "agent/guarded").split()[0]
    assert cloud_shell(*ask, code=1) == "no\n"
    cloud_shell("policy", "get", granted, code=1)
    assert "NOT_FOUND" in cloud_shell.errors
    assert cloud_shell("auth", "can-i", "create", "organization/acme", "--as", "max") == "yes\n"
    cloud_shell("policy", "grant", "organization/acme#member", "can_view", "agent/guarded")


def test_who_asks_has_to_be_known(cloud_shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud_shell("auth", "can-i", "get", "organization/acme", code=2)
    assert "--as ACCOUNT" in cloud_shell.errors
    monkeypatch.setenv("PARITY_ACCOUNT", "max")
    assert cloud_shell("auth", "can-i", "get", "organization/acme") == "yes\n"
    for wrong in (("get", "acme"), ("create", "agent/x")):
        cloud_shell("auth", "can-i", *wrong, code=2)


def test_events_are_told(cloud_shell: Shell) -> None:
    made = cloud_shell.json("agent", "create", "eventful")
    cloud_shell("agent", "delete", "eventful")
    subject = made["metadata"]["id"]
    lines = cloud_shell("events", f"agent/{subject}").splitlines()
    assert [line.split()[2:] for line in lines] == [
        ["created", "agent/eventful", subject],
        ["deleted", "agent/eventful", subject],
    ]
    told = [json.loads(line) for line in cloud_shell("events", f"agent/{subject}", "-o", "json").splitlines()]
    assert told[0]["resource"]["metadata"] == made["metadata"]
    after = str(told[0]["position"])
    assert len(cloud_shell("events", f"agent/{subject}", "--after", after).splitlines()) == 1
    assert subject in cloud_shell("events", "--after", after)
    cloud_shell("events", "-o", "yaml", code=2)
    cloud_shell("events", "nothing", code=2)


FOLLOW_SECONDS_MAX = 60.0


def follow(arguments: list[str], lines: int, act: Shell, *commands: tuple[str, ...]) -> list[str]:
    """Run a command that doesn't end; after its first line do `commands`, one after each further line it prints."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "parity.main", *arguments, "--address", act.address, *act.more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    told: list[str] = []
    waiting = list(commands)
    deadline = threading.Timer(FOLLOW_SECONDS_MAX, process.kill)
    deadline.start()
    try:
        assert process.stdout is not None
        while len(told) < lines and (line := process.stdout.readline()):
            told.append(line.rstrip())
            if waiting:
                act(*waiting.pop(0))
    finally:
        deadline.cancel()
        process.terminate()
        process.wait(20)
        process.stdout.close()  # type: ignore[union-attr] # it is a pipe
    return told


@pytest.mark.parametrize("profile", ["oss", "cloud"])
def test_get_watch_shows_changes(profile: str, oss_shell: Shell, cloud_shell: Shell) -> None:
    shell = cloud_shell if profile == "cloud" else oss_shell
    shell("agent", "create", "watched", "--org", "watch")
    told = follow(
        ["agent", "get", "--watch", "--org", "watch", "-l", "!hidden"],
        5,
        shell,
        ("agent", "create", "ignored", "--org", "other"),
        ("agent", "create", "newcomer", "--org", "watch"),
        ("agent", "update", "watched", "--name", "Changed"),
        ("agent", "delete", "watched"),
    )
    assert told[0].startswith("ID ")
    assert "watched" in told[1]
    assert told[2:] == ["agent/newcomer created", "agent/watched updated", "agent/watched deleted"]
    shell("agent", "delete", "newcomer", "ignored")


def test_programs_get_one_resource_after_the_other(cloud_shell: Shell) -> None:
    cloud_shell("agent", "create", "streamed", "--org", "stream", "--name", "Before")
    told = follow(
        ["agent", "get", "-w", "--org", "stream", "-o", "jsonpath={.metadata.name}{'\\n'}"],
        2,
        cloud_shell,
        ("agent", "update", "streamed", "--name", "After"),
    )
    assert told == ["Before", "After"]


def test_events_watch_goes_on(cloud_shell: Shell) -> None:
    made = cloud_shell.json("agent", "create", "followed")
    told = follow(
        ["events", f"agent/{made['metadata']['id']}", "--watch"], 2, cloud_shell, ("agent", "delete", "followed")
    )
    assert [line.split()[2] for line in told] == ["created", "deleted"]


@pytest.fixture(scope="module")
def listless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that offers no lists, as others than the reference may."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    config = ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens))
    offered = {name: row for name, row in OPERATIONS.items() if not name.endswith("-list")}
    with running(config, operations=offered) as server:
        yield server.address


def test_a_server_that_ends_has_answered_and_one_that_is_gone_has_not(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(TOKENS, encoding="utf-8")
    with ExitStack() as stack:
        with running(ServerConfig(listen="127.0.0.1:0", profile="cloud", tokens=str(tokens))) as server:
            client = stack.enter_context(Server(Endpoint(server.address, "root-token")))
            watch = stack.enter_context(Watch(client))
        with pytest.raises(Unreachable, match="can't serve now: the server is shutting down"):
            watch.next(10)
        with pytest.raises(Unreachable, match="no server answers at"):
            Watch(client)


def test_a_server_without_lists_is_asked_what_the_account_may_view(
    listless: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(listless, capsys, "--token", "max-token")
    shell("agent", "create", "unlisted", "--org", "acme")
    shell("agent", "get", code=1)
    assert "this server offers no lists of agents" in shell.errors
    assert "PARITY_ACCOUNT" in shell.errors
    assert shell("instance", "get", "--agent", "unlisted", "-o", "name") == "instance/unlisted-default\n"
    monkeypatch.setenv("PARITY_ACCOUNT", "max")
    assert shell("agent", "get", "-o", "name") == "agent/unlisted\n"
    assert shell("agent", "get", "--org", "other", "-o", "name") == ""
