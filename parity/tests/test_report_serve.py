"""A run followed while it goes on: how far it is, what failed so far, nothing written into it; then its page."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conformance.runner import Options
from conformance.runner import run as conform
from parity.following import Follower, progress_of
from parity.main import run as parity
from tests.second_server.server import start

ONLY = ("DUP-*", "GET-FOUND", "SLUG-DERIVE")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run against a server that answers duplicates with the first resource."""
    folder = tmp_path_factory.mktemp("run")
    server = start("oss", {}, "operator", defects=frozenset({"duplicate_answered_ok"}))
    try:
        conform(f"grpc://{server.address}", Options(only=ONLY, quick=True, reruns=0), out=folder)
    finally:
        server.stop()
    return folder


@pytest.fixture
def half(ended: Path, tmp_path: Path) -> Path:
    """The same run as it was in the middle of it: half of its evidence, the last line not whole."""
    whole = (ended / "evidence.jsonl").read_bytes()
    (tmp_path / "evidence.jsonl").write_bytes(whole[: len(whole) * 2 // 3])
    return tmp_path


def test_half_a_run_tells_how_far_it_is_and_what_failed_so_far(ended: Path, half: Path) -> None:
    before = {path: path.read_bytes() for path in half.iterdir()}
    (server,) = Follower(half).state().servers
    (whole,) = Follower(ended).state().servers
    assert 0 < server.done < server.total == whole.total == whole.done
    assert {one.id for one in server.failures} < {one.id for one in whole.failures}
    assert all(one.id.startswith("DUP-") and one.problem for one in server.failures)
    assert (Follower(half).state().finished, Follower(ended).state().finished) == (False, True)
    assert {path: path.read_bytes() for path in half.iterdir()} == before


def test_a_run_that_has_hardly_begun_is_no_error(half: Path) -> None:
    file = half / "evidence.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    for content in (b"", lines[0][:40], lines[0], b"".join(lines[:3])):
        file.write_bytes(content)
        assert progress_of(half).done == 0
        assert progress_of(half).failures == ()


@pytest.fixture
def served(ended: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "parity.main", "report", "serve", str(ended)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip().removeprefix("http://").rstrip("/")
        yield process, address
        process.kill()


def answer(address: str, path: str, host: str = "") -> tuple[int, str]:
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.request("GET", path, headers={"Host": host or address})
        with connection.getresponse() as response:
            return response.status, response.read().decode()


def test_it_is_served_on_this_machine_alone_and_ends_at_once(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    assert address.startswith("127.0.0.1:")
    status, page = answer(address, "/")
    assert (status, "Not conformant" in page) == (200, True)
    status, events = answer(address, "/events")
    assert status == 200
    assert json.loads(events.removeprefix("data: "))["finished"] is True
    assert answer(address, "/", "evil.example:80")[0] == 403
    assert answer(address, "/etc/passwd")[0] == 404
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert parity(["report", "serve", str(tmp_path / "absent")]) == 2
    assert "no such directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_told_until_it_can(ended: Path, half: Path) -> None:
    follower = Follower(half)
    file = half / "evidence.jsonl"
    file.write_bytes(b"no JSON\n")
    assert "line 1 is not JSON" in follower.state().trouble
    file.write_bytes((ended / "evidence.jsonl").read_bytes())
    state = follower.state()
    assert (state.trouble, state.finished, len(state.servers)) == ("", False, 1)
    assert state.written_at == file.stat().st_mtime


def test_a_failure_is_told_with_what_was_expected_and_what_came(half: Path) -> None:
    (server,) = Follower(half).state().servers
    assert "expected ALREADY_EXISTS, got OK" in server.failures[0].problem


def test_a_run_that_begins_in_the_folder_of_an_ended_one_is_followed(ended: Path, half: Path) -> None:
    (half / "verdicts.json").write_bytes((ended / "verdicts.json").read_bytes())
    seen = list[bool]()
    server = start("oss", {}, "operator")
    try:
        look = Options(only=ONLY, quick=True).with_progress(lambda *_: seen.append(Follower(half).state().finished))
        conform(f"grpc://{server.address}", look, out=half)
    finally:
        server.stop()
    assert seen
    assert not any(seen)
    assert Follower(half).state().finished
