"""Durability is proven from outside: stores that only say they are durable fail, opened by their entry point."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.suite import kills, syncs
from stores.suite.check import Result, StoreVerdict, run_check
from stores.suite.checks import durability
from stores.suite.kills import Call, Kill, Run, calls_of_batches, kill_in_batches, plan
from stores.suite.mutants.durability import SINS
from stores.suite.subject import UrlSubject
from stores.suite.syncs import Trace, read_trace, strace_refusal
from stores.tests.entry_point import install

needs_strace = pytest.mark.skipif(bool(strace_refusal()), reason=f"needs strace: {strace_refusal()}")
UNSYNCED = ("never-syncs", "syncs-before", "syncs-every-second", "syncs-leader-only", "group-unsynced")
TORN = tuple(sin for sin in SINS if sin not in (*UNSYNCED, "none"))
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


@pytest.mark.parametrize("subject", ["none"], indirect=True)
@pytest.mark.parametrize("check", ["durable-syncs", "durable-kills"])
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


@pytest.mark.parametrize("subject", ["never-syncs"], indirect=True)
def test_without_strace_syncs_are_not_proven(subject: UrlSubject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "strace_refusal", lambda: "strace is not installed")
    result = judged("durable-syncs", subject)
    assert (result.verdict, result.reason) == (
        StoreVerdict.NOT_PROVEN,
        "syncs can't be counted: strace is not installed",
    )


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
