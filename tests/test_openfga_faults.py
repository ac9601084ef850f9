"""OpenFGA as authorizer, when it is killed, paused, slow, wrong or behind: nothing is allowed that it didn't allow."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.main import run as run_parity
from reference_server.authorization.openfga.address import parse_place
from tests.openfga.build import missing
from tests.openfga.guarded import MAX, ROOT, Guarded, eventually, guarded, refused, spec_of
from tests.openfga.server import OpenFgaServer, openfga
from tests.openfga.stub import BAD_ANSWERS, HANGS_UP, SLOW, Between, between

UNAVAILABLE = ("UNAVAILABLE", "AUTHORIZER_UNAVAILABLE")
BEHIND = ("UNAVAILABLE", "AUTHORIZER_BEHIND")
DENIED = ("PERMISSION_DENIED", "PERMISSION_DENIED")
OF_ONE_QUESTION = {"nothing", "check error"}
"""Bad answers that are about the questions in them, and so don't keep others from being asked."""
EVE = "identity_account:eve"

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.timeout(300),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OpenFgaServer]:
    with openfga(tmp_path) as running:
        yield running


@pytest.fixture
def stub(server: OpenFgaServer) -> Iterator[Between]:
    with between(server.port) as standing:
        yield standing


@pytest.fixture
def behind_stub(server: OpenFgaServer, stub: Between, tmp_path: Path) -> Iterator[Guarded]:
    """A server whose way to OpenFGA leads through the stub."""
    place = server.installed()
    authorizer = place.setting.replace(server.url, stub.url)
    with guarded(f"leveldb:{tmp_path / 'db'}", authorizer, tmp_path) as running:
        yield running


@pytest.mark.parametrize("fault", ["killed", "paused"])
def test_openfga_that_is_away_allows_nothing_and_comes_back(fault: str, server: OpenFgaServer, tmp_path: Path) -> None:
    with guarded(f"leveldb:{tmp_path / 'db'}", server.installed().setting, tmp_path) as parity:
        agent = parity.create("before")
        assert parity.get(agent).metadata.name == "before"
        assert parity.health() == "SERVING"
        if fault == "killed":
            server.kill()
        else:
            server.signal(signal.SIGSTOP)
        for _ in range(5):
            assert refused(lambda: parity.get(agent)) == UNAVAILABLE
        assert refused(lambda: parity.create("meanwhile")) == UNAVAILABLE
        assert refused(lambda: parity.create("meanwhile", ROOT)) == UNAVAILABLE
        assert refused(parity.names) == UNAVAILABLE
        assert refused(lambda: parity.get(agent, "nobody's")) == ("UNAUTHENTICATED", "UNAUTHENTICATED")
        assert refused(lambda: parity.get("agt-none")) == DENIED, "what the policies refuse needs nobody else"
        eventually(lambda: parity.health() == "NOT_SERVING")
        assert (parity.health(""), parity.health("parity.store")) == ("SERVING", "SERVING")
        if fault == "killed":
            server.start()
        else:
            server.signal(signal.SIGCONT)
        parity.becomes_healthy()
        assert parity.get(agent).metadata.name == "before"
        assert parity.names() == ["before"], "what was refused has left no trace"
        assert parity.get(parity.create("after")).metadata.name == "after"


@pytest.mark.parametrize("mode", [*BAD_ANSWERS, SLOW, HANGS_UP])
def test_bad_answers_allow_nothing(mode: str, behind_stub: Guarded, stub: Between) -> None:
    agent = behind_stub.create("one")
    assert behind_stub.get(agent).metadata.name == "one"
    with stub.misbehaving("/batch-check", mode):
        for _ in range(4):
            assert refused(lambda: behind_stub.get(agent)) == UNAVAILABLE
        assert refused(lambda: behind_stub.create("two")) == UNAVAILABLE
        if mode not in OF_ONE_QUESTION:
            eventually(lambda: behind_stub.health() == "NOT_SERVING")
    behind_stub.becomes_healthy()
    assert behind_stub.get(agent).metadata.name == "one"
    assert behind_stub.names() == ["one"]


def test_until_it_has_followed_the_answer_is_the_stricter_one(behind_stub: Guarded, stub: Between) -> None:
    agent = behind_stub.create("one")
    assert behind_stub.get(agent).metadata.name == "one"
    with stub.misbehaving("/write", "error"):
        behind_stub.grant(EVE, "can_view", f"agent:{agent}")
        may_eve_view = spec_of(EVE, "can_view", f"agent:{agent}")
        assert refused(lambda: behind_stub.check(may_eve_view)) == BEHIND, "granted, and not yet known to OpenFGA"
        eventually(lambda: behind_stub.health() == "NOT_SERVING")
        assert behind_stub.get(agent).metadata.name == "one", "what it knows goes on"
        behind_stub.revoke("identity_account:max", "owner", f"agent:{agent}")
        behind_stub.revoke("organization:acme", "organization", f"agent:{agent}")
        assert refused(lambda: behind_stub.get(agent)) == DENIED, "revoked, whether OpenFGA knows or not"
    behind_stub.becomes_healthy()
    assert behind_stub.check(may_eve_view)
    assert refused(lambda: behind_stub.get(agent)) == DENIED


def test_another_model_allows_nothing_until_it_is_ours(server: OpenFgaServer, tmp_path: Path) -> None:
    store = server.installed().store
    latest = f"openfga:{server.url}?store={store}"
    unknown = f"openfga:{server.url}?store=01M8DB67704H5J0ZXMGWWVBQ4T"
    server.write_model(store, {"schema_version": "1.1", "type_definitions": [{"type": "user"}]})
    for number, authorizer in enumerate((unknown, latest)):
        with guarded(f"leveldb:{tmp_path / str(number)}", authorizer, tmp_path) as parity:
            assert parity.health() == "NOT_SERVING"
            assert refused(lambda parity=parity: parity.create("one")) == UNAVAILABLE  # type: ignore[misc] # binds the loop's value
            if authorizer == latest:
                assert run_parity(["authorizer", "install", latest.removeprefix("openfga:")]) == 0
                parity.becomes_healthy()
                assert parity.get(parity.create("two")).metadata.name == "two"


def test_it_gets_what_an_older_database_holds(
    server: OpenFgaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, place = f"leveldb:{tmp_path / 'db'}", server.installed()
    with guarded(url, "embedded", tmp_path) as parity:
        agents = [parity.create(f"agent {number}") for number in range(30)]
    assert run_parity(["authorizer", "verify", url, place.setting]) == 1
    assert " tuples missing, 0 extra" in capsys.readouterr().out
    with guarded(url, place.setting, tmp_path) as parity:
        assert [parity.get(each).metadata.id for each in agents] == agents
        parity.grant("team:t#member", "can_edit", f"agent:{agents[0]}")
        parity.grant(EVE, "member", "team:t")
        assert parity.check(spec_of(EVE, "can_edit", f"agent:{agents[0]}"))
    assert run_parity(["authorizer", "verify", url, place.setting]) == 0
    assert " 0 tuples missing, 0 extra" in capsys.readouterr().out


def test_a_server_that_is_killed_forgets_nothing(server: OpenFgaServer, tmp_path: Path) -> None:
    url, place = f"leveldb:{tmp_path / 'db'}", server.installed()
    for burst in range(3):
        with guarded(url, place.setting, tmp_path) as parity:
            for number in range(8):
                agent = parity.create(f"{burst} {number}")
                parity.grant(EVE, "can_view", f"agent:{agent}")
                if number % 2:
                    parity.revoke(EVE, "can_view", f"agent:{agent}")
            parity.running.process.kill()
            parity.running.process.wait()
    with guarded(url, place.setting, tmp_path) as parity:
        last = parity.create("last")
        assert parity.get(last).metadata.name == "last", "so it has followed up to here"
    assert run_parity(["authorizer", "verify", url, place.setting]) == 0


def test_what_openfga_alone_refuses_is_refused_and_told_and_repaired(
    server: OpenFgaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, place = f"leveldb:{tmp_path / 'db'}", server.installed()
    with guarded(url, place.setting, tmp_path) as parity:
        agent = parity.create("one")
        assert parity.get(agent).metadata.name == "one"
        server.change(place, removed=[("organization:acme", "organization", f"agent:{agent}")])
        server.change(place, removed=[("identity_account:max", "owner", f"agent:{agent}")])
        assert refused(lambda: parity.get(agent)) == DENIED
        server.change(place, added=[("identity_account:eve", "owner", f"agent:{agent}")])
        assert not parity.check(spec_of(EVE, "owner", f"agent:{agent}")), "OpenFGA alone allows nothing either"
    assert "OpenFGA refuses what stored policies allow" in (tmp_path / "server.log").read_text()
    assert run_parity(["authorizer", "verify", url, place.setting]) == 1
    told = capsys.readouterr().out
    assert f"missing: identity_account:max owner agent:{agent}" in told
    assert f"extra: identity_account:eve owner agent:{agent}" in told
    assert "2 tuples missing, 1 extra" in told
    assert run_parity(["authorizer", "verify", url, place.setting, "--repair"]) == 0
    assert run_parity(["authorizer", "verify", url, place.setting]) == 0
    with guarded(url, place.setting, tmp_path) as parity:
        assert parity.get(agent, MAX).metadata.name == "one"


def test_contextual_policies_count_for_one_question(server: OpenFgaServer, tmp_path: Path) -> None:
    with guarded(f"leveldb:{tmp_path / 'db'}", server.installed().setting, tmp_path) as parity:
        agent = f"agent:{parity.create('one')}"
        may_eve_edit = spec_of(EVE, "can_edit", agent)
        member, team = spec_of(EVE, "member", "team:t"), spec_of("team:t#member", "owner", agent)
        assert not parity.check(may_eve_edit)
        assert parity.check(may_eve_edit, member, team, team)
        assert not parity.check(may_eve_edit, team)
        many = [spec_of(EVE, "owner", f"agent:a{number}") for number in range(100)]
        told = refused(lambda: parity.check(may_eve_edit, member, team, *many))
        assert told == ("INVALID_ARGUMENT", "INVALID_REQUEST")
        assert parse_place(server.installed().setting).store
