"""One server through every kind of target: the same verdicts. And TLS, with a private authority on both sides."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from conformance.runner import Options, run
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, Report
from reference_server.tests.certificates import Authority
from tests.mutants.hosting import reference
from tests.second_server import start

OPTIONS = Options(profile="oss", only=("SLUG-*", "GET-*", "DEF-*"), quick=True)


def in_process() -> tuple[str, Callable[[], None]]:
    """A factory as `inproc:` wants it."""
    server = start("oss", {})
    return server.address, server.stop


def verdicts(report: Report) -> list[tuple[str, str]]:
    assert report.exit_code == EXIT_CONFORMANT, report.run.reason
    return [(row.id, row.verdict) for row in report.results]


def test_every_kind_of_target_gives_the_same_verdicts() -> None:
    server = start("oss", {})
    try:
        plain = verdicts(run(f"grpc://{server.address}", OPTIONS))
        bare = verdicts(run(server.address, OPTIONS))
    finally:
        server.stop()
    command = verdicts(run(f"cmd:{sys.executable} -m tests.second_server.server --port {{port}}", OPTIONS))
    inproc = verdicts(run("inproc:tests.test_target_kinds:in_process", OPTIONS))
    assert plain == bare == command == inproc


def test_a_socket_in_the_file_system(tmp_path: Path) -> None:
    with reference("oss", settings={"listen": f"unix:{tmp_path / 's'}"}) as address:
        assert verdicts(run(address, OPTIONS))


def test_tls_with_a_private_authority_and_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    settings = {"tls_cert": str(server.cert), "tls_key": str(server.key), "tls_client_ca": str(authority.cert)}
    with reference("oss", settings=settings) as address:
        files = f"ca={authority.cert}&cert={client.cert}&key={client.key}"
        assert verdicts(run(f"grpcs://{address}?{files}", OPTIONS))
        strangers = run(f"grpcs://{address}?ca={authority.cert}", OPTIONS)
    assert strangers.exit_code == EXIT_INCOMPLETE
    assert strangers.summary.measured == 0
