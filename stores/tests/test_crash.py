"""Kills, failing writes and syncs, a full disk: what was acknowledged stays, and nothing is there by half."""

from __future__ import annotations

from pathlib import Path

import pytest

from stores.registry import SCHEMES, unavailable
from stores.suite.crash import SYNCS, WRITES, Fault, climb, count_syncs, strace_works
from stores.suite.subject import UrlSubject

ENGINES = [scheme.name for scheme in SCHEMES if scheme.options and unavailable(scheme) is None]
TRACED = [engine for engine in ENGINES if engine != "badger"]
"""Badger writes through mapped files, which no call can be made to fail for; its own tests see to it."""
MODES = [f"{engine}:?durability={mode}" for engine in ENGINES for mode in ("durable", "relaxed")]
BATCHES = 25

needs_strace = pytest.mark.skipif(not strace_works(), reason="strace is not installed, or tracing is forbidden here")


@pytest.mark.parametrize("subject", MODES, indirect=True)
def test_killed_from_outside(subject: UrlSubject) -> None:
    """SIGKILL between any two instructions; the relaxed mode survives it as well."""
    result = climb(subject, "db", seed=11, faults=[Fault()] * 2)
    assert result.problems == []
    assert result.killed == 2


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("subject", MODES, indirect=True)
def test_killed_from_outside_many_times(subject: UrlSubject) -> None:
    for seed in range(5):
        result = climb(subject, f"db{seed}", seed=seed, faults=[Fault()] * 10)
        assert result.problems == []
        assert result.killed == 10


@needs_strace
@pytest.mark.parametrize("subject", [f"{engine}:" for engine in TRACED], indirect=True)
def test_killed_inside_the_commit(subject: UrlSubject) -> None:
    """SIGKILL at the entry of a write or sync, so within the engine's own commit."""
    faults = [Fault(f"{SYNCS}:signal=SIGKILL:when=14"), Fault(f"{WRITES}:signal=SIGKILL:when=24")]
    result = climb(subject, "db", seed=5, faults=faults)
    assert result.problems == []
    assert result.killed == 2, result.falls


@needs_strace
@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("subject", [f"{engine}:" for engine in TRACED], indirect=True)
def test_killed_at_every_call_of_some_commits(subject: UrlSubject) -> None:
    faults = [Fault(f"{calls}:signal=SIGKILL:when={number}") for number in range(8, 40) for calls in (SYNCS, WRITES)]
    result = climb(subject, "db", seed=6, faults=faults)
    assert result.problems == []
    assert result.killed > len(faults) // 2


@needs_strace
@pytest.mark.parametrize(
    "inject", [f"{SYNCS}:error=EIO:when=14+", f"{WRITES}:error=ENOSPC:when=45+"], ids=["sync fails", "disk full"]
)
@pytest.mark.parametrize("subject", [f"{engine}:" for engine in TRACED], indirect=True)
def test_a_failing_medium_is_told(subject: UrlSubject, inject: str) -> None:
    """A commit that the medium refuses raises StoreUnavailable; after reopening, every acknowledged batch is there."""
    result = climb(subject, "db", seed=7, faults=[Fault(inject), Fault()])
    assert result.problems == []
    assert result.falls[0].failed == "StoreUnavailable", result.falls
    assert result.killed == 1, "the database goes on once the medium is well again"


@needs_strace
@pytest.mark.parametrize("engine", TRACED)
def test_durable_means_synced(engine: str, tmp_path: Path) -> None:
    """At least one sync for each acknowledged commit; in the relaxed mode far fewer."""
    syncs, written = count_syncs(f"{engine}:{tmp_path / 'd'}?durability=durable", 3, BATCHES, tmp_path)
    assert written > BATCHES // 2
    assert syncs >= written
    syncs, _ = count_syncs(f"{engine}:{tmp_path / 'r'}?durability=relaxed", 3, BATCHES, tmp_path)
    assert syncs < written // 2


@needs_strace
def test_acks_before_sync_is_caught(tmp_path: Path) -> None:
    syncs, written = count_syncs(f"leveldb:{tmp_path / 'm'}", 3, BATCHES, tmp_path, "acks_before_sync")
    assert syncs < written


@pytest.mark.parametrize("mutant", ["acks_before_write", "tears_write"])
def test_the_ladder_catches_engines_that_lie(mutant: str, tmp_path: Path) -> None:
    """Killed often enough, both are found: one loses an acknowledged batch, the other shows half of one."""
    faults = [Fault(f"{SYNCS}:signal=SIGKILL:when={number}") for number in (10, 11, 12, 13)] if strace_works() else []
    result = climb(UrlSubject.of("leveldb:", tmp_path), "db", 1, [*faults, *[Fault()] * 8], mutant=mutant)
    assert len(result.problems) == 1
