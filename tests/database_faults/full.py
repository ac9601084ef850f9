"""A disk that is full for a while: that of a whole cluster, its log of commits included.

It needs a mount namespace of its own (`namespaces.py`). Without room for rows a statement is refused; without room for
the log the database panics in the middle of a commit, and may not come up before there is room again.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from conformance.evidence import Json
from conformance.nemesis.faults import Fault, Field
from tests.postgresql import Cluster

SIZE = "200m"
SMALL_LOG = {"max_wal_size": "48MB", "min_wal_size": "32MB"}
FULL_SECONDS = (1.0, 3.0)
_AGAIN_SECONDS = 0.02
_PIECE_BYTES = 4096
_PIECES = 256


@contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a small file system that everybody may write. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="parity-disk-") as name:
        disk = Path(name)
        disk.chmod(0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "none", name], check=True, timeout=30)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", name], check=True, timeout=30)


def fill_disk(database: Cluster, disk: Path) -> Fault:
    """Take all the room on the disk, and what is freed meanwhile; then give it back and see to it that it recovers."""

    def strike(field: Field, seconds: float) -> Json:
        del seconds  # what is left in pages must be used up first
        ballast = disk / "ballast"
        until = time.monotonic() + field.between(FULL_SECONDS)
        try:
            while time.monotonic() < until:
                _fill(ballast)
                field.wait(_AGAIN_SECONDS)
        finally:
            ballast.unlink(missing_ok=True)
        return {"fills": 1, **_recovered(database)}

    return strike


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        for pieces in (_PIECES, 1):
            with suppress(OSError):
                while file.write(bytes(pieces * _PIECE_BYTES)):
                    pass


def _recovered(database: Cluster) -> Json:
    try:
        database.await_ready()
    except RuntimeError:
        database.stop()
        database.start()
        return {"restarts": 1}
    return {"restarts": 0}
