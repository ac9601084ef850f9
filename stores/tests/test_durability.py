"""Durability is proven from outside: stores that only say they are durable fail, opened by their entry point."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stores.registry import scheme_of, unavailable
from stores.suite import kills, syncs
from stores.suite.check import Result, StoreVerdict, run_check
from stores.suite.checks import durability
from stores.suite.kills import Call, Kill, Run, calls_of_batches, kill_in_batches, plan
from stores.suite.mutants.durability import SINS
from stores.suite.shim import environment, shim_refusal
from stores.suite.subject import UrlSubject
from stores.suite.syncs import Trace, read_trace, strace_refusal
from stores.tests.entry_point import install

needs_strace = pytest.mark.skipif(bool(strace_refusal()), reason=f"needs strace: {strace_refusal()}")
needs_shim = pytest.mark.skipif(bool(shim_refusal()), reason=f"needs our own library: {shim_refusal()}")
UNSYNCED = (
    "never-syncs",
    "syncs-on-close",
    "syncs-before",
    "syncs-every-second",
    "syncs-leader-only",
    "group-unsynced",
    "removals-unsynced",
)
TORN = tuple(sin for sin in SINS if sin not in (*UNSYNCED, "numbers-on-close", "none"))
SEED = 1


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UrlSubject:
    """The wrong store of the sin that the test is parametrized with."""
    install(tmp_path / "site", monkeypatch)
    return UrlSubject.of(f"wrong:?sin={request.param}", tmp_path)


def judged(check: str, subject: UrlSubject) -> Result:
    (chosen,) = (row for row in durability.checks.all if row.id == check)
    return run_check(chosen, subject, check, SEED)


@needs_strace
@pytest.mark.parametrize("subject", UNSYNCED, indirect=True)
def test_a_missing_sync_is_seen(subject: UrlSubject) -> None:
    result = judged("durable-syncs", subject)
    assert result.verdict is StoreVerdict.FAIL
    assert "were acknowledged without a sync" in result.reason


@needs_strace
@pytest.mark.parametrize("subject", TORN, indirect=True)
def test_a_kill_shows_what_is_lost_or_half(subject: UrlSubject) -> None:
    result = judged("durable-kills", subject)
    assert result.verdict is StoreVerdict.FAIL
    assert "killed" in result.reason


@pytest.mark.parametrize("subject", ["numbers-on-close"], indirect=True)
def test_a_kill_shows_numbers_that_come_back(subject: UrlSubject) -> None:
    result = judged("killed-goes-on", subject)
    assert result.verdict is StoreVerdict.FAIL
    assert "numbers came back" in result.reason


@pytest.mark.parametrize("subject", ["none"], indirect=True)
@pytest.mark.parametrize("check", ["durable-syncs", "durable-kills", "killed-goes-on"])
def test_what_the_wrong_ones_are_made_of_is_durable(check: str, subject: UrlSubject) -> None:
    wanted = StoreVerdict.NOT_PROVEN if check == "durable-syncs" and strace_refusal() else StoreVerdict.PASS
    assert judged(check, subject).verdict is wanted


@pytest.mark.parametrize("subject", ["large-in-parts"], indirect=True)
def test_without_strace_kills_come_from_outside(subject: UrlSubject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the kill is drawn; half of the time a store of two parts stands between them."""
    monkeypatch.setattr(kills, "strace_refusal", lambda: "strace is not installed")
    problems = [problem for seed in range(4) for problem in kill_in_batches(subject, f"db{seed}", seed, (1, 1000))[0]]
    assert problems
    assert "ms after the beginning of batch 2" in problems[0]


@pytest.fixture
def no_strace(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without strace."""
    monkeypatch.setattr(durability, "strace_refusal", lambda: "strace is not installed")


@pytest.mark.parametrize("subject", ["never-syncs"], indirect=True)
def test_without_strace_and_compiler_syncs_are_not_proven(
    subject: UrlSubject, no_strace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "shim_refusal", lambda: "no C compiler")
    result = judged("durable-syncs", subject)
    assert (result.verdict, result.reason) == (
        StoreVerdict.NOT_PROVEN,
        "syncs can't be counted: strace is not installed, and our own library can't: no C compiler",
    )


@needs_shim
@pytest.mark.parametrize("subject", UNSYNCED, indirect=True)
def test_without_strace_a_missing_sync_is_seen_by_our_own_library(subject: UrlSubject, no_strace: None) -> None:
    result = judged("durable-syncs", subject)
    assert result.verdict is StoreVerdict.FAIL
    assert "were acknowledged without a sync" in result.reason


@needs_shim
@pytest.mark.parametrize("engine", ["leveldb", "lmdb", "rocksdb", "sqlite"])
def test_without_strace_our_own_library_proves_stores_that_sync(engine: str, no_strace: None, tmp_path: Path) -> None:
    if unavailable(scheme_of(engine)):
        pytest.skip(f"needs a driver: {unavailable(scheme_of(engine))}")
    result = judged("durable-syncs", UrlSubject.of(f"{engine}:", tmp_path))
    assert (result.verdict, result.reason) == (StoreVerdict.PASS, "")


@needs_shim
def test_what_syncs_past_the_c_library_is_not_proven_without_strace(no_strace: None, tmp_path: Path) -> None:
    if unavailable(scheme_of("badger")):
        pytest.skip(f"needs a driver: {unavailable(scheme_of('badger'))}")
    result = judged("durable-syncs", UrlSubject.of("badger:", tmp_path))
    assert result.verdict is StoreVerdict.NOT_PROVEN
    assert "syncs past the C library" in result.reason


@needs_shim
def test_a_write_to_a_synced_file_is_a_sync_to_our_own_library(tmp_path: Path) -> None:
    """O_DSYNC, stdio before a sync, and a failed sync: each as `read_trace` takes it."""
    program = (
        "import os; from stores.suite.syncs import ACKNOWLEDGED_FD, BEGIN_FD, mark\n"
        "synced = os.open('synced', os.O_CREAT | os.O_WRONLY | os.O_DSYNC)\n"
        "plain = os.open('plain', os.O_CREAT | os.O_WRONLY)\n"
        "mark(BEGIN_FD); os.write(synced, b'x'); mark(ACKNOWLEDGED_FD)\n"
        "mark(BEGIN_FD); os.write(plain, b'x'); mark(ACKNOWLEDGED_FD)\n"
        "mark(BEGIN_FD); os.fsync(plain); os.pwrite(plain, b'x', 0); mark(ACKNOWLEDGED_FD)\n"
    )
    trace = tmp_path / "trace"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment(trace), check=True, timeout=60)
    assert read_trace(trace.read_text(), by_thread=True) == Trace(3, 2, 2)


def test_commits_that_overlap_share_a_sync_that_began_after_both() -> None:
    begin, done = f"fsync({syncs.BEGIN_FD}) = -1 EBADF", f"fsync({syncs.ACKNOWLEDGED_FD}) = -1 EBADF"
    shared = [f"1 {begin}", f"2 {begin}", "1 fsync(5) = 0", f"1 {done}", f"2 {done}"]
    assert read_trace("\n".join(shared), by_thread=True) == Trace(2, 1, 0)
    late = [f"1 {begin}", "1 fsync(5 <unfinished ...>", f"2 {begin}", "1 <... fsync resumed>) = 0", f"1 {done}"]
    assert read_trace("\n".join([*late, f"2 {done}"]), by_thread=True) == Trace(2, 1, 1)
    behind = [
        f"1 {begin}",
        f"2 {begin}",
        "1 write(3) = 9",
        "1 fsync(3) = 0",
        f"1 {done}",
        "2 write(3) = 9",
        f"2 {done}",
    ]
    assert read_trace("\n".join(behind), by_thread=True) == Trace(2, 1, 1)
    mapped = [f"1 {begin}", "2 msync(0x7f, 4096, MS_SYNC) = 0", "1 write(3) = 9", f"1 {done}"]
    assert read_trace("\n".join(mapped), by_thread=True) == Trace(1, 1, 0)
    asynchronous = [f"1 {begin}", "1 msync(0x7f, 4096, MS_ASYNC) = 0", f"1 {done}"]
    assert read_trace("\n".join(asynchronous), by_thread=True) == Trace(1, 0, 1)


def test_the_calls_of_each_batch_are_numbered_from_the_threads_start() -> None:
    begin, done = f"fsync({syncs.BEGIN_FD}) = -1 EBADF", f"fsync({syncs.ACKNOWLEDGED_FD}) = -1 EBADF"
    calls = ["write(3, ) = 1", begin, "write(3, ) = 9", "fsync(3) = 0", "write(3, ) = 9", done, "write(4, ) = 1"]
    trace = "\n".join(f"7 {call}" for call in [*calls, begin, done])
    assert calls_of_batches(trace) == {
        1: ([Call("write", 3)], [Call("write", 2), Call("fsync", 2), Call("write", 3), Call("fsync", 3)]),
        2: ([], [Call("fsync", 5)]),
    }
    drawn = plan(3, (7, 7), Run([0.0, 2.0], [1.0, 3.0]), trace)
    assert Kill(1, Call("write", 3)) in drawn
    assert drawn == plan(3, (7, 7), Run([0.0, 2.0], [1.0, 3.0]), trace)
