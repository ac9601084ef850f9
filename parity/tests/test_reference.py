"""The reference that `parity` starts: its credentials, its store, and what is told where it doesn't start."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from parity import reference
from parity.main import run
from parity.problems import Problem
from parity.reference import Reference, with_path


def test_credentials_are_new_private_and_forgotten(tmp_path: Path) -> None:
    made = Reference("memory:", "cloud", tmp_path / "secrets", tmp_path / "logs")
    made.prepare()
    tokens = {row["id"]: row["token"] for row in tomllib.loads(made.tokens.read_text())["callers"]}
    roles = tomllib.loads(made.credentials.read_text())["roles"]
    assert {row["id"]: row["token"] for row in roles.values()} == tokens
    assert len(set(tokens.values())) == len(reference.ROLES)
    assert min(map(len, tokens.values())) > 72, "a server that looks at the first 72 bytes only must show it"
    assert stat.S_IMODE(made.tokens.stat().st_mode) == stat.S_IMODE(made.credentials.stat().st_mode) == 0o600
    before = made.credentials.read_text()
    made.prepare()
    assert made.credentials.read_text() != before
    made.forget()
    assert not made.tokens.exists()
    assert not made.credentials.exists()


def test_roles_are_those_of_the_suite() -> None:
    from conformance.credentials import ROLES

    assert reference.ROLES == ROLES


def test_a_server_that_does_not_start_is_explained(tmp_path: Path) -> None:
    broken = Reference(f"sqlite:{tmp_path / 'no' / 'such' / 'folder' / 'x.db'}", "oss", tmp_path / "s", tmp_path / "l")
    (tmp_path / "no").write_text("a file where a folder is needed")
    broken.prepare()
    with pytest.raises(Problem, match="did not start") as refused, broken.started():
        pass
    assert str(broken.log) in refused.value.hint


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("leveldb:", "leveldb:/new/store"),
        ("sqlite:?codec=protobuf", "sqlite:/new/store?codec=protobuf"),
        ("leveldb:kept", "leveldb:kept"),
        ("memory:", "memory:"),
    ],
)
def test_a_url_without_a_path_is_a_new_store(url: str, whole: str) -> None:
    assert with_path(url, Path("/new/store")) == whole


def test_the_suite_tells_the_last_words_of_a_server_over_a_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(["conform", f"store:leveldb:{tmp_path / 'file' / 'db'}", "--profile", "oss", "--quick"]) == 3
    assert f"{tmp_path / 'file'}" in capsys.readouterr().out.replace("\n", "")
