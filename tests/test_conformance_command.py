"""`parity conform` and `parity recheck` as people type them, against a running second server."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.verdict import Verdict
from conformance.verdicts_file import read_verdicts
from parity.main import run
from tests.second_server import RunningServer, start


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str


Parity = Callable[..., Done]


@pytest.fixture
def parity(capsys: pytest.CaptureFixture[str]) -> Parity:
    """Run a command line in this process: what it prints and its exit code, as a shell would see them."""

    def command(*words: str) -> Done:
        capsys.readouterr()
        code = run(words)
        printed = capsys.readouterr()
        return Done(code, printed.out + printed.err)

    return command


@pytest.fixture(scope="module")
def oss() -> Iterator[RunningServer]:
    server = start("oss", {})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def wrong() -> Iterator[RunningServer]:
    server = start("oss", {}, defects=frozenset({"slug_cut", "status_not_written"}))
    yield server
    server.stop()


def test_a_dead_port_is_exit_3_and_0_measured(parity: Parity) -> None:
    done = parity("conform", "grpc://127.0.0.1:1")
    assert done.returncode == 3
    assert "0 measured" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grpc://127.0.0.1:1", "--only", "NO-SUCH"), "NO-SUCH"),
        (("nonsense",), "host and a port"),
        (("ftp://127.0.0.1:1",), "unknown kind of target"),
        (("grpc://127.0.0.1:1", "--credentials", "no-such-file.toml"), "no-such-file.toml"),
        (("grpc://127.0.0.1:1", "--profile", "home"), "home"),
        (("cmd:sleep 5",), "{port}"),
    ],
)
def test_what_makes_no_sense_is_exit_2_with_a_sentence(words: tuple[str, ...], said: str, parity: Parity) -> None:
    done = parity("conform", *words)
    assert done.returncode == 2, done.stdout
    assert said in done.stdout
    assert "Traceback" not in done.stdout


def test_a_command_that_ends_or_never_listens_is_exit_3(parity: Parity) -> None:
    done = parity("conform", f"cmd:{sys.executable} -c 'raise SystemExit(7)' {{port}}")
    assert done.returncode == 3
    assert "code 7" in done.stdout


def test_a_run_is_kept_and_a_recheck_gives_the_same_bytes(oss: RunningServer, tmp_path: Path, parity: Parity) -> None:
    first, again = tmp_path / "run", tmp_path / "again"
    done = parity("conform", f"grpc://{oss.address}", "--quick", "-j", "4", "--out", str(first))
    assert done.returncode == 0, done.stdout
    assert "SendResponse" in done.stdout
    checked = parity("recheck", str(first), "--out", str(again))
    assert checked.returncode == 0, checked.stdout
    assert (again / "verdicts.json").read_bytes() == (first / "verdicts.json").read_bytes()


def test_a_truncated_run_is_refused(oss: RunningServer, tmp_path: Path, parity: Parity) -> None:
    parity("conform", f"grpc://{oss.address}", "--only", "SLUG-*", "--out", str(tmp_path))
    evidence = tmp_path / "evidence.jsonl"
    evidence.write_bytes(evidence.read_bytes()[:-40])
    done = parity("recheck", str(tmp_path))
    assert done.returncode == 2
    assert "truncated" in done.stdout


def test_the_printed_command_reproduces_the_verdict(wrong: RunningServer, tmp_path: Path, parity: Parity) -> None:
    done = parity(
        "conform", f"grpc://{wrong.address}", "--only", "SLUG-*", "--only", "STAT-*", "--out", str(tmp_path), "-v"
    )
    assert done.returncode == 1
    report = read_verdicts(tmp_path)
    assert report.failing() == ("SLUG-LENGTH", "STAT-RESPONSE", "STAT-STORED")
    assert "grpcurl" in done.stdout
    for name in report.failing():
        words = shlex.split(report.of(name).reproduce)
        again = parity(*words[1:], "--out", str(tmp_path / name))
        assert again.returncode == 1
        assert read_verdicts(tmp_path / name).of(name).verdict is Verdict.FAIL


def test_known_failures_pass_and_news_fail(wrong: RunningServer, tmp_path: Path, parity: Parity) -> None:
    known = tmp_path / "known.toml"
    rest = ("--only", "SLUG-LENGTH", "--known-failing", str(known))
    known.write_text(
        '[[known]]\nid = "SLUG-LENGTH"\nmessage = "create: metadata.slug"\nreason = "the column is short"\n'
    )
    assert parity("conform", f"grpc://{wrong.address}", *rest, "--only", "SLUG-GIVEN").returncode == 0
    assert parity("conform", f"grpc://{wrong.address}", *rest, "--only", "STAT-STORED").returncode == 1
    refused = parity("conform", f"grpc://{wrong.address}", *rest, "--update-known-failing")
    assert refused.returncode == 2
    assert "whole run" in refused.stdout


def test_a_recheck_ends_as_a_run_with_known_failures_did(wrong: RunningServer, tmp_path: Path, parity: Parity) -> None:
    known, run_folder = tmp_path / "known.toml", tmp_path / "run"
    known.write_text(
        '[[known]]\nid = "SLUG-LENGTH"\nmessage = "create: metadata.slug"\nreason = "short"\nexpires = 2999-01-01\n'
        '[[known]]\nid = "SLUG-GIVEN"\nmessage = "create"\nreason = "was so once"\n'
    )
    for only, code in (("SLUG-LENGTH", 1), ("SLUG-*", 1)):
        words = ("--only", only, "--known-failing", str(known), "--out", str(run_folder))
        assert parity("conform", f"grpc://{wrong.address}", *words).returncode == code
        assert read_verdicts(run_folder).of("SLUG-LENGTH").verdict is Verdict.KNOWN_FAILING
        assert read_verdicts(run_folder).known_failing_errors
        _rechecked_the_same(run_folder, code, parity)
    known.write_text(known.read_text().partition('[[known]]\nid = "SLUG-GIVEN"')[0])
    words = ("--only", "SLUG-*", "--known-failing", str(known), "--out", str(run_folder))
    assert parity("conform", f"grpc://{wrong.address}", *words).returncode == 0
    known.unlink()
    _rechecked_the_same(run_folder, 0, parity)


def test_a_recheck_knows_what_an_updated_file_said(tmp_path: Path, parity: Parity) -> None:
    server = start("oss", {}, defects=frozenset({"total_is_page"}))
    known, run_folder = tmp_path / "known.toml", tmp_path / "run"
    words = ("--quick", "-j", "4", "--known-failing", str(known), "--update-known-failing", "--out", str(run_folder))
    try:
        done = parity("conform", f"grpc://{server.address}", *words)
    finally:
        server.stop()
    assert done.returncode == 0, done.stdout
    assert read_verdicts(run_folder).of("BYA-TOTAL").verdict is Verdict.KNOWN_FAILING
    _rechecked_the_same(run_folder, 0, parity)


def _rechecked_the_same(run_folder: Path, code: int, parity: Parity) -> None:
    again = run_folder.parent / "again"
    assert parity("recheck", str(run_folder), "--out", str(again)).returncode == code
    assert (again / "verdicts.json").read_bytes() == (run_folder / "verdicts.json").read_bytes()
    alone = parity("recheck", str(run_folder / "evidence.jsonl"))
    assert alone.returncode == code


def test_a_declared_feature_that_is_not_served_fails(oss: RunningServer, tmp_path: Path, parity: Parity) -> None:
    declaration = tmp_path / "declare.toml"
    declaration.write_text('profile = "oss"\n[features]\nlist = false\nhealth = true\nreflection = true\n')
    done = parity(
        "conform",
        f"grpc://{oss.address}",
        "--only",
        "FEAT-*",
        "--only",
        "LST-*",
        "--declare",
        str(declaration),
        "--out",
        str(tmp_path / "run"),
    )
    report = read_verdicts(tmp_path / "run")
    assert report.of("LST-ORG").verdict is Verdict.NOT_APPLICABLE
    assert report.of("FEAT-LIST").verdict is Verdict.FAIL
    assert report.of("FEAT-WATCH").verdict is Verdict.NOT_APPLICABLE
    assert done.returncode == 1


def test_each_requirement_is_a_pytest_test(wrong: RunningServer, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "conformance.pytest_plugin",
        "--pyargs",
        "conformance.pytest_plugin",
    ]
    command += ["--parity-target", f"grpc://{wrong.address}", "--parity-only", "SLUG-*", "--parity-only", "AUTH-NONE"]
    done = subprocess.run(
        [*command, "-q", "-p", "no:cacheprovider"], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 1, done.stdout
    assert "1 failed, 7 passed, 1 skipped" in done.stdout, done.stdout
    assert "SLUG-LENGTH" in done.stdout
    assert "parity conform" in done.stdout


def test_a_missing_role_makes_its_checks_untestable_with_the_reason(tmp_path: Path, parity: Parity) -> None:
    server = start("cloud", {"t": "boss"}, "boss")
    try:
        credentials = tmp_path / "credentials.toml"
        credentials.write_text('[roles.operator]\ntoken = "t"\nid = "boss"\n')
        words = (
            "--only",
            "AUTH-MEMBER",
            "--only",
            "AUTH-NONE",
            "--only",
            "GET-UNKNOWN",
            "--out",
            str(tmp_path / "run"),
        )
        done = parity("conform", f"grpc://{server.address}", "--credentials", str(credentials), *words)
    finally:
        server.stop()
    report = read_verdicts(tmp_path / "run")
    assert done.returncode == 1
    assert report.of("AUTH-MEMBER").verdict is Verdict.UNTESTABLE
    assert "org_member" in report.of("AUTH-MEMBER").reason
    assert report.of("AUTH-NONE").verdict is Verdict.PASS
    assert report.of("GET-UNKNOWN").verdict is Verdict.PASS
    assert "Bearer" not in (tmp_path / "run" / "evidence.jsonl").read_text()


def test_a_run_leaves_nothing_where_it_is_started(oss: RunningServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "parity.main", "conform", f"grpc://{oss.address}", "--only", "FUZZ-*", "--quick"]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("HYPOTHESIS")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.iterdir()) == []
