"""Durability is proven by counting, and a store that acknowledges before it syncs is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import durability
from benchmarks.database import url_of
from benchmarks.durability import prove
from benchmarks.results import Subject
from stores.suite.syncs import Trace, read_trace, strace_refusal

needs_strace = pytest.mark.skipif(bool(strace_refusal()), reason=f"needs strace: {strace_refusal()}")

TRACE = """\
10 fdatasync(3) = 0
10 fsync(999983) = -1 EBADF (Bad file descriptor)
10 fdatasync(3) = 0
10 fsync(999979) = -1 EBADF (Bad file descriptor)
10 fdatasync(3 <unfinished ...>
11 fsync(7) = 0
10 <... fdatasync resumed>) = 0
10 fsync(999979) = -1 EBADF (Bad file descriptor)
10 fsync(9) = -1 EIO (Input/output error)
10 fsync(999979) = -1 EBADF (Bad file descriptor)
10 msync(0x7f, 4096, MS_SYNC) = 0
10 fsync(999979) = -1 EBADF (Bad file descriptor)
10 exited with 0
"""


def test_a_trace_is_read_from_its_beginning_mark_on() -> None:
    # Four commits; the third's sync failed, so nothing made it durable. The sync before the mark belongs to opening.
    assert read_trace(TRACE) == Trace(commits=4, syncs=4, unsynced=1)
    assert read_trace("") == Trace(0, 0, 0)


@needs_strace
@pytest.mark.parametrize(("engine", "codec"), [("leveldb", "protobuf"), ("sqlite", "json-orjson")])
def test_durable_stores_sync_before_every_acknowledgement(tmp_path: Path, engine: str, codec: str) -> None:
    proof = prove(Subject(engine, codec, "durable"), tmp_path, commits=5)
    assert proof.holds, proof.note
    assert proof.commits == 5
    assert proof.syncs >= 5
    assert list(tmp_path.iterdir()) == []


@needs_strace
def test_a_store_with_its_sync_removed_is_refused(tmp_path: Path) -> None:
    durable = Subject("leveldb", "protobuf", "durable")
    without = url_of(Subject("leveldb", "protobuf", "relaxed"), tmp_path)
    proof = prove(durable, tmp_path, url=without, commits=5)
    assert not proof.holds
    # The one sync is of the high-water mark, which the first commit makes.
    assert proof.note == "1 syncs for 5 acknowledged commits: 4 came without a sync before them"


@needs_strace
def test_a_store_that_fails_proves_nothing(tmp_path: Path) -> None:
    proof = prove(Subject("leveldb", "protobuf", "durable"), tmp_path, url="leveldb:/proc/nowhere/db")
    assert not proof.holds
    assert "the store failed" in proof.note


def test_without_strace_it_is_declared_not_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "strace_refusal", lambda: "strace is not installed")
    proof = prove(Subject("leveldb", "protobuf", "durable"), tmp_path)
    assert (proof.method, proof.holds) == ("declared", True)
    assert proof.note == "declared, not proven: strace is not installed"
