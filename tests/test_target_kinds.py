"""One server through every kind of target: the same verdicts. And TLS, with a private authority on both sides."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.runner import Options, run
from conformance.verdict import EXIT_CONFORMANT, EXIT_INCOMPLETE, Report, Verdict
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


DURABILITY = Options(profile="oss", only=("DUR-KILL",), quick=True, reruns=0)


def start_script(folder: Path, line: str) -> Path:
    """A start script as most are: it starts the server and waits for it."""
    script = folder / "start.sh"
    serve = f"{sys.executable} -m parity.main serve --store memory: --listen 127.0.0.1:$1"
    script.write_text("#!/bin/sh\n" + line.format(serve=serve) + "\n", encoding="utf-8")
    script.chmod(0o755)
    return script


def test_a_server_behind_a_start_script_is_killed_with_it(tmp_path: Path) -> None:
    """A store in memory forgets everything, so a server over it that passed would never have been killed."""
    script = start_script(tmp_path, "echo $1 >" + str(tmp_path / "port") + "; {serve} & wait $!")
    report = run(f"cmd:{script} {{port}}", DURABILITY)
    assert report.of("DUR-KILL").verdict is Verdict.FAIL
    with pytest.raises(ConnectionRefusedError), socket.socket() as left_behind:
        left_behind.connect(("127.0.0.1", int((tmp_path / "port").read_text())))


@pytest.mark.parametrize("line", ["setsid {serve} & sleep 600", 'setsid sh -c "{serve} & exit" & exec sleep 600'])
def test_a_server_in_a_session_of_its_own_is_killed_as_well(tmp_path: Path, line: str) -> None:
    report = run(
        f"cmd:{start_script(tmp_path, 'echo $1 >' + str(tmp_path / 'port') + '; ' + line)} {{port}}", DURABILITY
    )
    assert report.of("DUR-KILL").verdict is Verdict.FAIL
    with pytest.raises(ConnectionRefusedError), socket.socket() as left_behind:
        left_behind.connect(("127.0.0.1", int((tmp_path / "port").read_text())))


def test_what_survives_the_kill_makes_durability_untestable(tmp_path: Path) -> None:
    script = start_script(tmp_path, "setsid env -i {serve} & echo $! >" + str(tmp_path / "pid") + "; wait $!")
    try:
        report = run(f"cmd:{script} {{port}}", DURABILITY)
        assert report.of("DUR-KILL").verdict is Verdict.UNTESTABLE
        assert "with another environment" in report.of("DUR-KILL").reason
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_slow_starter_gets_the_time_that_is_asked_for(tmp_path: Path) -> None:
    script = start_script(tmp_path, "sleep 3; exec {serve}")
    hasty = run(f"cmd:{script} {{port}}", replace(OPTIONS, start_seconds=1.0))
    assert hasty.exit_code == EXIT_INCOMPLETE
    assert "nothing listens there: the connection is refused (tried for " in hasty.run.reason
    patient = run(f"cmd:{script} {{port}}", replace(OPTIONS, start_seconds=60.0, only=("GET-FOUND",)))
    assert patient.exit_code == EXIT_CONFORMANT, patient.run.reason


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
