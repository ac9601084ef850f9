"""A real OpenFGA over TLS: whoever isn't trusted is asked nothing, and what is wrong is told with what to do."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.main import run as run_parity
from reference_server.authorization.openfga.availability import FAILURES_MAX
from reference_server.tests.certificates import Authority
from tests.openfga.build import missing
from tests.openfga.guarded import eventually, guarded, refused
from tests.openfga.server import OpenFgaServer, openfga

KEY = "s3cret-key"
UNAVAILABLE = ("UNAVAILABLE", "AUTHORIZER_UNAVAILABLE")

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[OpenFgaServer]:
    with openfga(tmp_path_factory.mktemp("openfga"), tls=authority.issue("openfga"), key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_text(KEY, encoding="utf-8")
    return file


def installed(server: OpenFgaServer, ca: Path, key_file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Make a store as people do; return the setting that is printed."""
    assert run_parity(["authorizer", "install", f"{server.url}?ca={ca}&token_file={key_file}"]) == 0
    return capsys.readouterr().out.strip()


def test_what_is_wrong_with_the_way_is_told_with_what_to_do(
    server: OpenFgaServer, authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger, no_ca = Authority(tmp_path, "stranger").cert, tmp_path / "no.pem"
    no_ca.write_text("no certificate", encoding="utf-8")
    at, plain = server.url, server.url.replace("https:", "http:")
    by_name = at.replace("127.0.0.1", "localhost")
    for place, told in (
        (f"{at}?ca={stranger}", f"{at}: certificate verify failed: .*; is the CA in {stranger} the one that signed"),
        (at, f"{at}: certificate verify failed: .*; name the CA that signed .*: .ca=FILE"),
        (f"{by_name}?ca={authority.cert}", f"{by_name}: .*not valid for 'localhost'.*; write the host as"),
        (plain, f"{plain} answered 400: Client sent an HTTP request to an HTTPS server.*; write https://"),
        (f"{at}?ca={authority.cert}", f"{at} answered 401: missing bearer token; .*, .token_file=FILE"),
        (f"{at}?ca={authority.cert}&token_file={no_ca}", f"{at} answered 401: .*; is what is in {no_ca} its key?"),
        (f"{at}?ca={no_ca}", f"{at}: {no_ca}: .*; this file must hold the certificate of a CA"),
    ):
        assert run_parity(["authorizer", "install", place]) == 3, place
        error = capsys.readouterr().err
        assert re.search(told, error)
        assert KEY not in error


def test_a_server_that_trusts_another_ca_allows_nothing(
    server: OpenFgaServer, authority: Authority, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = installed(server, authority.cert, key_file, capsys)
    stranger = Authority(tmp_path, "stranger").cert
    with guarded("memory:", setting.replace(str(authority.cert), str(stranger)), tmp_path) as parity:
        assert parity.health() == "NOT_SERVING"
        assert refused(lambda: parity.create("meanwhile")) == UNAVAILABLE
    assert f"is the CA in {stranger} the one" in (tmp_path / "server.log").read_text(encoding="utf-8")


def test_a_certificate_that_expires_and_is_renewed(
    server: OpenFgaServer, authority: Authority, key_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setting, good, log = installed(server, authority.cert, key_file, capsys), server.tls, tmp_path / "server.log"
    with guarded("memory:", setting, tmp_path) as parity:
        agent = parity.create("before")
        assert parity.get(agent).metadata.name == "before"
        for tls, told in (
            (authority.issue("expired", dt.timedelta(minutes=-1)), "give OpenFGA a new certificate"),
            (None, "it doesn't speak TLS; write http://"),
        ):
            server.kill()
            server.tls = tls
            server.start()
            for _ in range(FAILURES_MAX):
                assert refused(lambda: parity.get(agent)) == UNAVAILABLE
            assert parity.health() == "NOT_SERVING"
            eventually(lambda told=told: told in log.read_text(encoding="utf-8"))  # type: ignore[misc] # binds the loop's value
        server.kill()
        server.tls = good
        server.start()
        parity.becomes_healthy()
        assert parity.get(agent).metadata.name == "before"
        assert parity.get(parity.create("after")).metadata.name == "after"
