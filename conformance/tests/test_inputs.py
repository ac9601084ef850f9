"""What people hand to the suite: targets, credentials, declarations. Bad input gets a sentence that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.address import Address, TargetInvalid, parse_address
from conformance.credentials import CredentialsInvalid, read_credentials
from conformance.features import Declaration, DeclarationInvalid, decide, read_declaration
from conformance.target import TargetUnreachable, open_target


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:50051", Address("127.0.0.1:50051")),
        ("grpc://example.org:1", Address("example.org:1")),
        ("grpc://[::1]:7", Address("[::1]:7")),
        ("grpcs://example.org:443", Address("example.org:443", secure=True)),
        ("unix:/run/agents.sock", Address("unix:/run/agents.sock")),
        ("unix:///run/agents.sock", Address("unix:/run/agents.sock")),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "host and a port"),
        ("host", "write grpc://host:PORT"),
        ("grpc://host:port", "host:port"),
        ("grpc://host:99999", "host:99999"),
        ("ftp://host:1", "unknown kind"),
        ("http://host:1/", "write grpc://host:1$"),
        ("https://host:1", "write grpcs://host:1$"),
        ("grpc://host", "write grpc://host:PORT"),
        ("jsonfile:/tmp/x", "store:jsonfile:/tmp/x"),
        ("grpcs://host:1?ca=no-such-file", "no such file"),
        (f"grpcs://host:1?cert={__file__}", "both cert=FILE and key=FILE"),
    ],
)
def test_addresses_that_make_no_sense(text: str, said: str) -> None:
    with pytest.raises(TargetInvalid, match=said):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cmd:", "needs a command"),
        ("cmd:'", "No closing"),
        ("inproc:no.such.module:f", "no"),
        ("inproc:json:none", "none"),
    ],
)
def test_targets_that_make_no_sense(text: str, said: str) -> None:
    with pytest.raises(TargetInvalid, match=said):
        open_target(text)


@pytest.mark.parametrize("text", ["cmd:/no/such/server {port}", "grpc://127.0.0.1:1", "unix:/no/such/socket"])
def test_targets_that_are_not_there(text: str) -> None:
    with pytest.raises(TargetUnreachable):
        open_target(text)


def test_credentials_are_read_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('organization = "acme"\n[roles.operator]\ntoken = "s3cret"\nid = "ida-1"\n')
    credentials = read_credentials(path)
    assert credentials.organization == "acme"
    assert credentials.roles["operator"].token == "s3cret"
    assert "s3cret" not in repr(credentials)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"write \[roles.operator\]"),
        ("[roles.king]\ntoken = 'a'\nid = 'b'", "king"),
        ("[roles.operator]\nid = 'b'", "token"),
        ("[roles.operator]\ntoken = 'a'\nid = ''", "id"),
        ("roles = 3", "table"),
        ("organization = 3", "organization"),
        ("[", "TOML"),
    ],
)
def test_credentials_that_make_no_sense(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(CredentialsInvalid, match=said):
        read_credentials(path)


def test_a_declaration_speaks_for_every_feature(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text('profile = "oss"\n[features]\nlist = true\n')
    declaration = read_declaration(path)
    assert (declaration.of("list"), declaration.of("watch")) == (True, False)
    served = dict.fromkeys(("list", "watch", "health", "reflection", "restartable"), True)
    assert decide(declaration, served)["watch"] is False
    assert decide(Declaration({}), served)["watch"] is True


@pytest.mark.parametrize("text", ["[features]\nflying = true", "[features]\nlist = 1", "profile = 'home'", "["])
def test_declarations_that_make_no_sense(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.toml"
    path.write_text(text)
    with pytest.raises(DeclarationInvalid, match=r"d\.toml"):
        read_declaration(path)
