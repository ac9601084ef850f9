"""The permission model, the token file, JWTs."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from structlog.testing import capture_logs

from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.callers import (
    CallerTable,
    TokenFile,
    TokenFileError,
    bearer_token,
    digest,
    parse_callers,
)
from reference_server.authorization.jwt_callers import JwtCallers
from reference_server.authorization.model import PLATFORM, Caller, Ref, RelationTuple, parse_model
from reference_server.authorization.policies import StoredPolicies
from reference_server.authorization.requirements import requirement_of
from reference_server.bootstrap import build
from reference_server.config import ServerConfig
from reference_server.pipelines import OPERATIONS
from reference_server.unit_of_work import UnitOfWork
from stores.memory import MemoryStore

ADA, AGENT, ORG = Ref("identity_account", "ada"), Ref("agent", "agt-1"), Ref("organization", "acme")


def policies_of(*tuples: RelationTuple) -> StoredPolicies:
    return StoredPolicies(UnitOfWork(MemoryStore()), tuples)


LINK = RelationTuple(ORG, "organization", AGENT)
OWNER = RelationTuple(ADA, "owner", AGENT)
MEMBER = RelationTuple(ADA, "member", ORG)
TEAM_IS_MEMBER = RelationTuple(Ref("team", "t", "member"), "member", ORG)


@pytest.mark.parametrize(
    ("tuples", "allowed", "refused"),
    [
        ([OWNER], {"owner", "can_view", "can_edit", "can_delete", "can_grant_access"}, {"admin"}),
        ([LINK, MEMBER], {"can_view", "can_create_instance"}, {"can_edit", "can_delete", "owner"}),
        ([LINK, RelationTuple(ADA, "admin", ORG)], {"can_view", "can_edit", "can_delete"}, {"owner"}),
        ([MEMBER], set(), {"can_view"}),
        ([RelationTuple(ADA, "can_view", AGENT)], {"can_view", "can_execute"}, {"can_edit"}),
        ([RelationTuple(ADA, "operator", PLATFORM)], {"can_view", "can_edit"}, {"owner", "member"}),
        ([LINK, TEAM_IS_MEMBER, RelationTuple(ADA, "member", Ref("team", "t"))], {"can_view"}, {"can_edit"}),
    ],
)
def test_the_model_decides(tuples: list[RelationTuple], allowed: set[str], refused: set[str]) -> None:
    authorizer, policies = Authorizer(), policies_of(*tuples)
    assert {each for each in allowed | refused if authorizer.allows(ADA, each, AGENT, policies)} == allowed


def test_links_in_a_circle_come_to_an_end() -> None:
    policies = policies_of(RelationTuple(AGENT, "agent", AGENT), RelationTuple(ORG, "organization", AGENT))
    assert not Authorizer().allows(ADA, "can_view", AGENT, policies)


def test_a_wrong_model_names_the_term() -> None:
    with pytest.raises(ValueError, match=r"\[agent\] can_view: '->x'"):
        parse_model('[agent]\ncan_view = ["->x"]')
    with pytest.raises(ValueError, match=r"agent\.can_view: .*list"):
        parse_model('[agent]\ncan_view = "owner"')


def test_every_command_requires_something_or_is_decided_elsewhere() -> None:
    open_to_all = {name for name, each in OPERATIONS.items() if requirement_of(each.method) is None}
    assert open_to_all == {
        "agent-apply",
        "agent-get-by-reference",
        "agent-instance-apply",
        "agent-instance-get-by-reference",
        "agent-instance-get-by-agent",
        "environment-apply",
        "environment-get-by-reference",
        "agent-list",
        "agent-instance-list",
        "environment-list",
        "iam-policy-check-authorization",
    }


def test_callers_are_known_by_token_and_by_its_hash() -> None:
    hashed = digest("two").hex()
    table = parse_callers(
        f'[[callers]]\nid="a"\ntoken="one"\noperator=true\n[[callers]]\nid="b"\ntoken_sha256="{hashed}"\nadmin_of=["acme"]',
        "tokens.toml",
    )
    assert table.callers == {digest("one"): Caller("a"), digest("two"): Caller("b")}
    assert table.memberships == (
        RelationTuple(Ref("identity_account", "a"), "operator", PLATFORM),
        RelationTuple(Ref("identity_account", "b"), "admin", ORG),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("callers = 3", "must be a list"),
        ("[[callers]]\nid='a'\ntoken='t'\nadmin=1", "entry 1: admin: is not known"),
        ("[[callers]]\nid='system'\ntoken='t'", "entry 1: id: "),
        ("[[callers]]\nid='a'", "give exactly one of"),
        ("[[callers]]\nid='a'\ntoken='t'\ntoken_sha256='" + "0" * 64 + "'", "give exactly one of"),
        ("[[callers]]\nid='a'\ntoken_sha256='xyz'", "token_sha256: String should match pattern"),
        ("[[callers]]\nid='a'\ntoken='t'\nmember_of='acme'", "member_of: Input should be a valid tuple"),
        ("[[callers]]\nid='a'\ntoken='t'\n[[callers]]\nid='b'\ntoken='t'", "entry 2: another entry has the same token"),
        ("[[callers", "tokens.toml: "),
    ],
)
def test_a_wrong_token_file_says_where(text: str, complaint: str) -> None:
    with pytest.raises(TokenFileError, match=complaint.replace("[", r"\[")):
        parse_callers(text, "tokens.toml")


def test_a_broken_file_keeps_the_callers_read_before(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text("[[callers]]\nid='a'\ntoken='t'", encoding="utf-8")
    tokens = TokenFile(path)
    assert tokens.refresh()
    assert not tokens.refresh()
    path.write_text("broken", encoding="utf-8")
    with pytest.raises(TokenFileError):
        tokens.refresh()
    assert tokens.caller_of("t") == Caller("a")


def test_a_file_of_the_same_size_and_time_in_its_place_is_noticed(tmp_path: Path) -> None:
    path, other = tmp_path / "tokens.toml", tmp_path / "other.toml"
    path.write_text("[[callers]]\nid='a'\ntoken='t'", encoding="utf-8")
    tokens = TokenFile(path)
    tokens.refresh()
    other.write_text("[[callers]]\nid='a'\ntoken='u'", encoding="utf-8")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert tokens.refresh()
    assert tokens.caller_of("t") is None


def test_a_token_that_is_revoked_while_it_is_looked_up_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text("[[callers]]\nid='a'\ntoken='t'", encoding="utf-8")
    tokens = TokenFile(path)
    tokens.refresh()

    class Revoked(dict[bytes, Caller]):
        def get(self, key: bytes, default: Any = None) -> Any:
            path.write_text("", encoding="utf-8")
            assert tokens.refresh()
            return super().get(key, default)

    tokens.table = CallerTable(Revoked(tokens.table.callers), ())
    assert tokens.caller_of("t") == Caller("a"), "it was right when it was asked for"
    assert tokens.caller_of("t") is None


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("abc", None), (b"Bearer x", "x")],
)
def test_bearer_tokens(header: str | bytes, token: str | None) -> None:
    assert bearer_token([("other", "x"), ("authorization", header)]) == token


def test_a_file_without_callers_is_said_to_let_nobody_in_at_start_and_later(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text("", encoding="utf-8")
    structlog.reset_defaults()
    with MemoryStore() as store, capture_logs() as logs:
        application = build(ServerConfig(profile="cloud", tokens=str(file)), store)
        assert asyncio.run(application.refresh_callers())
        file.write_text('[[callers]]\nid = "alice"\ntoken = "secret"\n', encoding="utf-8")
        assert asyncio.run(application.refresh_callers())
        file.write_text("# nobody\n", encoding="utf-8")
        assert asyncio.run(application.refresh_callers())
        application.close()
    assert [(each["log_level"], each["file"]) for each in logs] == [("warning", str(file))] * 2
    assert "nobody can call" in logs[0]["event"]
    assert "[[callers]]" in logs[0]["hint"]


def test_jwts_are_verified(tmp_path: Path) -> None:
    key, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    public = {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "k1", "alg": "ES256"}
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [public]}), encoding="utf-8")
    callers = JwtCallers(jwks, issuer="https://issuer", audience="parity")
    good = {"sub": "ada", "iss": "https://issuer", "aud": "parity", "exp": time.time() + 60}

    def signed(claims: dict[str, object], *, by: ec.EllipticCurvePrivateKey = key, kid: str = "k1") -> str:
        return jwt.encode(claims, by, algorithm="ES256", headers={"kid": kid})

    assert callers.caller_of(signed(good)) == Caller("ada")
    for wrong in (
        signed(good, by=stranger),
        signed(good, kid="k2"),
        signed({**good, "exp": time.time() - 3600}),
        signed({**good, "iss": "https://other"}),
        signed({**good, "aud": "other"}),
        signed({**good, "sub": "system"}),
        signed({name: value for name, value in good.items() if name != "exp"}),
        jwt.encode(good, "", algorithm="none", headers={"kid": "k1"}),
        "no.jwt.atall",
    ):
        assert callers.caller_of(wrong) is None, wrong
    jwks.write_text("{}", encoding="utf-8")
    with pytest.raises(TokenFileError, match="no JWKS"):
        JwtCallers(jwks)


def test_keys_are_read_again_when_they_are_replaced(tmp_path: Path) -> None:
    jwks, old, new = tmp_path / "jwks.json", *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def publish(key: ec.EllipticCurvePrivateKey) -> None:
        public = json.loads(ECAlgorithm.to_jwk(key.public_key()))
        other = tmp_path / "other.json"
        other.write_text(json.dumps({"keys": [{**public, "kid": "k1"}]}), encoding="utf-8")
        other.replace(jwks)

    def token(key: ec.EllipticCurvePrivateKey) -> str:
        return jwt.encode({"sub": "ada", "exp": time.time() + 60}, key, algorithm="ES256", headers={"kid": "k1"})

    publish(old)
    callers = JwtCallers(jwks)
    assert callers.caller_of(token(old)) == Caller("ada")
    assert not callers.refresh()
    publish(new)
    assert callers.refresh()
    assert callers.caller_of(token(old)) is None
    assert callers.caller_of(token(new)) == Caller("ada")
    jwks.write_text("{}", encoding="utf-8")
    with pytest.raises(TokenFileError):
        callers.refresh()
    assert callers.caller_of(token(new)) == Caller("ada"), "the keys read before stay in force"


def test_a_running_server_follows_its_keys(tmp_path: Path) -> None:
    jwks = tmp_path / "jwks.json"
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    jwks.write_text(json.dumps({"keys": [{**public, "kid": "k1"}]}), encoding="utf-8")
    with MemoryStore() as store:
        application = build(ServerConfig(profile="cloud", jwt_jwks=str(jwks)), store)
        assert not asyncio.run(application.refresh_callers())
        jwks.write_text(json.dumps({"keys": [{**public, "kid": "k2"}]}), encoding="utf-8")
        assert asyncio.run(application.refresh_callers())
        application.close()
