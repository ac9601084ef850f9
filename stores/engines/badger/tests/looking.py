"""Looking at an engine from within and from another process."""

from __future__ import annotations

import subprocess
import sys

from stores.engines.badger.engine import BadgerEngine


def rows(engine: BadgerEngine, start: bytes = b"", stop: bytes = b"") -> list[tuple[bytes, bytes]]:
    snapshot = engine.snapshot()
    try:
        return list(snapshot.range(start, stop))
    finally:
        snapshot.close()


def run(script: str, *arguments: str, exit_code: int = 0) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert finished.returncode == exit_code, finished.stderr
    return finished.stdout
