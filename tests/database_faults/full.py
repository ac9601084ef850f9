"""A disk that is full for a while: that of a cluster's rows, or that of its log of commits.

It needs a mount namespace of its own (`namespaces.py`). Without room for rows a statement is refused; without room for
the log the database panics in the middle of a commit, and may not come up before there is room again.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from conformance.evidence import Json
from conformance.nemesis.faults import Fault, Field
from tests.postgresql import Cluster, owner, place

DATA_SIZE, LOG_SIZE = "200m", "24m"
FULL_SECONDS = (1.0, 3.0)
_SETTINGS = {"max_wal_size": "48MB", "min_wal_size": "32MB"}
_LOG_SETTINGS = {"max_wal_size": "8MB", "min_wal_size": "2MB"}
_AGAIN_SECONDS = 0.1
_PIECE_BYTES = 4096
_PIECES = 256
_MOUNT_SECONDS = 30


@contextmanager
def small_data() -> Iterator[tuple[Cluster, Path]]:
    """Make a cluster on a small file system, and say where that is. Raises CalledProcessError."""
    with place(_SETTINGS) as made, _mounted(made.data, DATA_SIZE):
        try:
            made.make()
            yield made, made.data
        finally:
            made.stop()


@contextmanager
def small_log() -> Iterator[tuple[Cluster, Path]]:
    """Make a cluster whose log of commits is on a small file system, in small files, and say where that is."""
    with place(_LOG_SETTINGS) as made, _mounted(made.folder / "log-of-commits", LOG_SIZE) as disk:
        try:
            made.make("--waldir", str(disk), "--wal-segsize=1")
            yield made, disk
        finally:
            made.stop()


@contextmanager
def _mounted(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    account = owner()
    whose = f",uid={account.pw_uid},gid={account.pw_gid}" if account else ""
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700{whose}", "none", str(folder))
    try:
        yield folder
    finally:
        _run("umount", str(folder))


def fill_disk(database: Cluster, disk: Path) -> Fault:
    """Take all the room on the disk, and what is freed meanwhile; then give it back and see to it that it recovers."""

    def strike(field: Field, seconds: float) -> Json:
        del seconds  # what is left in pages must be used up first
        ballast, said = disk / "ballast", _said(database)
        until = time.monotonic() + field.between(FULL_SECONDS)
        try:
            while time.monotonic() < until:
                _fill(ballast)
                _begin_a_file_of_the_log(database)
                field.wait(_AGAIN_SECONDS)
        finally:
            ballast.unlink(missing_ok=True)
        restarts = _recover(database)
        more = {name: count - said[name] for name, count in _said(database).items()}
        return {"fills": 1, "restarts": restarts, **more}

    return strike


def _begin_a_file_of_the_log(database: Cluster) -> None:
    """Let the next commit need room for another file."""
    with suppress(psycopg.Error), psycopg.connect(database.url, autocommit=True, connect_timeout=2) as connection:
        connection.execute("SELECT pg_switch_wal()")


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        for pieces in (_PIECES, 1):
            with suppress(OSError):
                while file.write(bytes(pieces * _PIECE_BYTES)):
                    pass


def _said(database: Cluster) -> dict[str, int]:
    """Count what the database has said of a full disk."""
    lines = [line for line in database.log.read_text(errors="replace").splitlines() if "No space left" in line]
    panics = sum("PANIC" in line for line in lines)
    return {"panics": panics, "refusals": len(lines) - panics}


def _recover(database: Cluster) -> int:
    """Wait until the database is there again; return how often it had to be started for that."""
    try:
        database.await_ready()
    except RuntimeError:
        database.stop()
        database.start()
        return 1
    return 0


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=_MOUNT_SECONDS)
